"""The rows of batches that count: entered, looked through for duplicates, taken out again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from office.database import Derived, PaymentRow
from office.derive import Content
from office.store import Store

_INTENT = """
INSERT INTO payments VALUES (?, ?, ?, ?, ?, ?, ?, ?, NULL, NULL)
ON CONFLICT (unit, intent) DO UPDATE SET time_ms = excluded.time_ms, card_id = excluded.card_id,
    purchase_serial = excluded.purchase_serial, account_fen = excluded.account_fen,
    self_fen = excluded.self_fen, pooled_fen = excluded.pooled_fen
"""
_OUTCOME = """
INSERT INTO payments (unit, intent, state, settled) VALUES (?, ?, ?, ?)
ON CONFLICT (unit, intent) DO UPDATE SET state = excluded.state, settled = excluded.settled
WHERE payments.settled IS NULL OR payments.settled < excluded.settled
"""
_DUPLICATES = """
WITH asked (at, unit, first, last) AS (VALUES {values})
SELECT asked.at, a.unit, a.settled, b.unit, b.settled FROM asked
CROSS JOIN payments a CROSS JOIN payments b
WHERE a.unit = asked.unit AND a.intent BETWEEN asked.first AND asked.last
  AND b.card_id = a.card_id AND b.purchase_serial = a.purchase_serial
  AND a.state = 2 AND b.state = 2 AND NOT (a.unit = b.unit AND a.intent = b.intent)
ORDER BY asked.at, a.settled, b.unit, b.settled
"""
_ASKED = 500 * 4


class Entry(NamedTuple):
    """is_newest: no batch above it is stored, so no row of its payments can be there."""

    unit: str
    batch: int
    content: Content
    is_newest: bool


class Duplicate(NamedTuple):
    """Two DONE records of the same purchase of the same card."""

    unit: str
    done: int
    other_unit: str
    other_done: int


def enter(store: Store, entries: Sequence[Entry], *, careful: bool = False) -> None:
    """careful: look for each payment's row even where none should be."""
    loaded, intents, outcomes = [], [], []
    for unit, batch, content, is_newest in entries:
        at_once = is_newest and not careful
        whole = content.whole if at_once else ()
        loaded.append(Derived(unit, batch, content.records, whole))
        rest: Iterable[PaymentRow] = content.open if at_once else (*content.open, *content.whole)
        intents += [(unit, *row[:7]) for row in rest]
        if not at_once:
            outcomes += [(unit, row[0], row[7], row[8]) for row in content.whole]
        outcomes += [(unit, *each) for each in content.settled]
    store.load(loaded)
    if intents:
        store.write_all(_INTENT, intents)
    if outcomes:
        store.write_all(_OUTCOME, outcomes)


def duplicates(
    store: Store, concerned: Sequence[tuple[str, list[tuple[int, int]]]]
) -> Iterator[tuple[int, Duplicate]]:
    """concerned: for each batch the unit and ranges of INTENT numbers; yields its place in it."""
    if concerned:
        store.database.prefer_indexes()
    asked: list[object] = []
    for at, (unit, ranges) in enumerate(concerned):
        for first, last in ranges:
            asked += (at, unit, first, last)
    for start in range(0, len(asked), _ASKED):
        part = asked[start : start + _ASKED]
        values = ", ".join(["(?, ?, ?, ?)"] * (len(part) // 4))
        for at, *found in store.rows(_DUPLICATES.format(values=values), *part):
            yield at, Duplicate(*found)
