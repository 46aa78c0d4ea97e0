"""A forked terminal: two sound batches that hold one number with other contents (a cloned card)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from office.chain import Place
from office.store import Store

FORKED = "forked"


class Numbered(Place, Protocol):
    """A batch that came, with the numbers of its records."""

    @property
    def numbers(self) -> Sequence[int]: ...


def other_version(store: Store, unit: str, new: Numbered, digests: Sequence[bytes]) -> int | None:
    """The first number that the store holds with other bytes, None without any."""
    came = dict(zip(new.numbers, digests, strict=True))
    for row in store.overlapping(unit, new.first, new.last):
        for number, digest in store.digests(unit, row.batch).items():
            if came.get(number, digest) != digest:
                return number
    return None


def note(store: Store, unit: str, new: Place, number: int, now_ms: int) -> None:
    store.write(
        "INSERT INTO findings VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        *(unit, new.batch, FORKED, new.digest, f"record {number}", now_ms),
    )


def noted(store: Store) -> list[tuple[str, int, str]]:
    """(unit, batch that was refused, what it holds twice) of every fork seen."""
    sql = "SELECT unit, batch, detail FROM findings WHERE what = ? ORDER BY unit, batch"
    return [(unit, batch, detail) for unit, batch, detail in store.rows(sql, FORKED)]
