"""What intake must know of a unit before it looks at a batch: keys, revocation, newest batch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from office import keys
from office.chain import Place
from office.keys import DeviceKey
from office.store import Store


@dataclass
class Newest:
    """The place of the newest stored batch (chain.Place)."""

    batch: int
    first: int
    last: int
    digest: bytes
    head: bytes
    previous: bytes = b""
    opens: bytes | None = None


@dataclass
class UnitState:
    """keys: every device key, with its range.  revoked_ms: records from then on are not trusted.
    receipted: the size of the tree in the newest receipt for this unit, None without any."""

    unit: str
    keys: list[DeviceKey] = field(default_factory=list)
    has_new_keys: bool = False
    revoked_ms: int | None = None
    newest: Place | None = None
    receipted: int | None = None


def opened(store: Store, units: Iterable[str], tree: str) -> dict[str, UnitState]:
    """The enrolled ones among `units`, nobody else's until the transaction ends."""
    names = sorted(set(units))
    if not names:
        return {}
    sql = f"SELECT DISTINCT unit FROM keys WHERE unit IN ({_marks(names)})"
    found = {unit: UnitState(unit) for (unit,) in store.rows(sql, *names)}
    if not found:
        return {}
    known = sorted(found)
    marks = _marks(known)
    rows = _units(store, known)
    if len(rows) < len(known):
        store.write_all(
            "INSERT INTO units VALUES (?, NULL, 0, 0, ?, ?) ON CONFLICT DO NOTHING",
            [(unit, b"", b"") for unit in known],
        )
    store.database.lock_rows("units", "unit", known)
    sql = f"SELECT unit, algorithm, public_key, first, last FROM keys WHERE unit IN ({marks})"
    for unit, *key in store.rows(sql, *known):
        found[unit].keys.append(DeviceKey(*key))
    for unit, revoked_ms, batch, last, digest, head in _units(store, known):
        found[unit].revoked_ms = revoked_ms
        if batch:
            found[unit].newest = Newest(batch, last, last, digest, head)
    for unit, size in store.rows(
        f"SELECT unit, size FROM receipted WHERE tree = ? AND unit IN ({marks})", tree, *known
    ):
        found[unit].receipted = size
    return found


def _units(store: Store, names: Sequence[str]) -> list[tuple[Any, ...]]:
    sql = "SELECT unit, revoked_ms, batch, last, digest, head FROM units WHERE unit IN"
    return store.rows(f"{sql} ({_marks(names)})", *names)


def _marks(values: Sequence[object]) -> str:
    return ", ".join("?" * len(values))


def closed(store: Store, states: Iterable[UnitState], tree: str, now_ms: int) -> None:
    """Write what has changed."""
    changed = list(states)
    for each in changed:
        if each.has_new_keys:
            keys.keep_changes(store, each.unit, each.keys, now_ms)
    store.write_all(
        "UPDATE units SET batch = ?, last = ?, digest = ?, head = ? WHERE unit = ?",
        [
            (new.batch, new.last, new.digest, new.head, each.unit)
            for each in changed
            if (new := each.newest) is not None
        ],
    )
    store.write_all(
        "INSERT INTO receipted VALUES (?, ?, ?)"
        " ON CONFLICT (unit, tree) DO UPDATE SET size = excluded.size",
        [(each.unit, tree, each.receipted) for each in changed if each.receipted is not None],
    )
