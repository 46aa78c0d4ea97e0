"""Damage: found at the start, between cards and at every sealing; declared, never hidden.

A record is damaged when its bytes do not verify, do not follow the record before, or are gone.  Its
row is marked and kept, a DAMAGE record names its number, and a payment that was open under it
becomes UNCERTAIN: its money is the office's question now.  The derived columns and indexes are no
evidence; where they disagree with a sound record they are made anew from it.
"""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Any

from firmware.journal import schema
from firmware.journal.kinds import (
    KEY_DETAIL,
    KEY_FIRST,
    KEY_INTENT,
    KEY_LAST,
    KEY_OUTCOME,
    KIND_DAMAGE,
    KIND_INTENT,
    KIND_LOAD_UNCERTAIN,
    KIND_RULED,
    KIND_UNCERTAIN,
    KIND_VOID,
)
from firmware.journal.lifecycle import takes_nothing
from firmware.journal.record import Record, RecordError
from firmware.journal.schema import JournalDamagedError
from firmware.journal.view import read_record
from firmware.outcome import outcome

if TYPE_CHECKING:
    from firmware.journal.store import Journal

log = logging.getLogger(__name__)

NEWEST = 256  # records verified at every start
MAX_OPEN = 256  # open INTENTs verified at every start
ROUND_MS = 86_400_000
BEGAN = "scrub_began"  # counter: when the last round began, ms
KEPT_EVERY = 4096  # records after which a round's place is on the disk, should no card come

# One probe for each index: it must find the row, by the index and by nothing else.
_PROBES = {
    "records_open": "state IN (1, 5) AND state = :state",
    "records_intent": "intent = :intent",
    "records_order": "order_no = :order_no",
    "records_day": "day = :day AND card_id = :card_id AND fen = :fen",
    "records_done": "state = 2 AND state = :state AND card_id = :card_id",
    "records_terminal": "terminal = :terminal",
    "records_rare": "kind IN (21, 22) AND kind = :kind",
}


def check_newest(journal: Journal) -> list[Record]:
    """At a start: the newest 256 records, the chain between them, and the open INTENTs."""
    head, _ = journal.head()
    first = max(1, head - NEWEST + 1)
    open_rows = journal.rows(
        "SELECT number FROM records WHERE state IN (1, 5) AND number < ?"
        " ORDER BY number DESC LIMIT ?",
        first,
        MAX_OPEN,
    )
    for (number,) in open_rows:
        check(journal, number, number)
    return check(journal, first, head)


def check(journal: Journal, first: int, last: int) -> list[Record]:
    """Verify the records first..last, quarantine what is damaged; the sound ones, oldest first.

    Raises JournalError, JournalDamagedError never.
    """
    with journal.lock:
        sound, damaged = _examine(journal, first, last)
        for one in reversed(sound):  # an INTENT's state is derived from later records
            _check_derived(journal, one)
        quarantine(journal, damaged)
        _give_up_lost_intents(journal)
    return sound


def _examine(journal: Journal, first: int, last: int) -> tuple[list[Record], dict[int, str]]:
    """The sound records and the reason for each number that is damaged and not yet declared."""
    rows = journal.rows(
        "SELECT number, raw, damaged FROM records WHERE number BETWEEN ? AND ?", first - 1, last
    )
    by_number = {row[0]: row for row in rows}
    declared = journal.damaged_ranges()
    sound: list[Record] = []
    damaged: dict[int, str] = {}
    before: Record | None = None
    above = range(max(1, first - 1, journal.floor + 1), last + 1)
    for number in sorted(by_number.keys() | set(above)):
        row = by_number.get(number)
        if before is not None and before.number != number - 1:
            before = None  # those between have left
        if (row is None or row[2]) and any(start <= number <= end for start, end in declared):
            before = None
            continue
        found = _read(journal, row)
        if isinstance(found, Record) and before is not None and found.previous != before.digest:
            found = f"it does not follow record {before.number}"
        if isinstance(found, Record):
            before = found
            if number >= first:
                sound.append(found)
        else:
            before = None
            damaged[number] = found
    return sound, damaged


def _read(journal: Journal, row: Any) -> Record | str:
    """The sound record of a row, or why there is none."""
    if row is None:
        return "it is gone"
    try:
        return read_record(row[0], row[1], journal.unit, journal.keys, journal.ends)
    except RecordError as error:
        return str(error)


def advance(journal: Journal, limit: int) -> int:
    """Check the next `limit` records; how many there were, 0 at the end of a round."""
    for number in sorted(journal.found_damaged):
        check(journal, number, number)
        journal.found_damaged.discard(number)
    if journal.scrubbed == 0:
        _forget_cached(journal)
        journal.set_counter(BEGAN, journal.clock.now().epoch_ms)
    first, last = journal.scrubbed + 1, _step_end(journal, limit)
    if first > last:
        journal.scrubbed = 0
        journal.set_counter("scrubbed", 0)
        return 0
    check(journal, first, last)
    journal.scrubbed = last
    if first == 1 or first // KEPT_EVERY != last // KEPT_EVERY:
        journal.set_counter("scrubbed", last)
    return last - first + 1


def _step_end(journal: Journal, limit: int) -> int:
    """The number with which a step ends; below the floor only what is left there counts."""
    at, (head, _) = journal.scrubbed, journal.head()
    if at >= journal.floor:
        return min(head, at + limit)
    left = journal.rows(
        "SELECT number FROM records WHERE number > ? AND number <= ? ORDER BY number LIMIT ?",
        at,
        journal.floor,
        limit,
    )
    return int(left[-1][0]) if len(left) == limit else journal.floor


def is_due(journal: Journal) -> bool:
    """One round a day; a clock set back begins another."""
    if journal.scrubbed or journal.found_damaged or journal.is_corrupt:
        return True
    since_ms = journal.clock.now().epoch_ms - journal.counter(BEGAN)
    return not 0 <= since_ms < ROUND_MS


def _forget_cached(journal: Journal) -> None:
    """A round reads what is on the disk, not what memory still holds of it."""
    journal.rows("PRAGMA shrink_memory")
    handle = os.open(journal.path, os.O_RDONLY)
    try:
        os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(handle)


def quarantine(journal: Journal, damaged: dict[int, str]) -> None:
    """Mark the rows and write a DAMAGE record for each range.  damaged: number -> why."""
    for first, last in _ranges(sorted(damaged)):
        log.warning("records %d to %d are damaged: %s", first, last, damaged[first])
        journal.write("UPDATE records SET damaged = 1 WHERE number BETWEEN ? AND ?", first, last)
        why = damaged[first][:200]
        journal.append(KIND_DAMAGE, {KEY_FIRST: first, KEY_LAST: last, KEY_DETAIL: why})


def _ranges(numbers: list[int]) -> list[tuple[int, int]]:
    """Ascending numbers as [first, last] of each run."""
    runs: list[tuple[int, int]] = []
    for number in numbers:
        if runs and runs[-1][1] == number - 1:
            runs[-1] = (runs[-1][0], number)
        else:
            runs.append((number, number))
    return runs


def _give_up_lost_intents(journal: Journal) -> None:
    """No card can recover an INTENT that cannot be read: its payment is UNCERTAIN."""
    lost = journal.rows(
        "SELECT number FROM records WHERE state IN (1, 5) AND state = 1 AND damaged = 1"
    )
    loads = journal.rows(
        f"SELECT number FROM records WHERE kind = 9 AND damaged = 1 AND {schema.LOAD_STATE} = 9"
    )
    for kind, name, numbers in (
        (KIND_UNCERTAIN, "PAYMENT_UNCERTAIN", lost),
        (KIND_LOAD_UNCERTAIN, "LOAD_UNCERTAIN", loads),
    ):
        for (number,) in numbers:
            journal.append(kind, {KEY_INTENT: number, KEY_OUTCOME: outcome(name).number})


# --- derived columns and indexes ---


def _check_derived(journal: Journal, sound: Record) -> None:
    """Make columns and indexes anew where they are not what the record says."""
    expected = _expected(journal, sound)
    columns = ", ".join(expected)
    stored = journal.row(f"SELECT {columns} FROM records WHERE number = ?", sound.number)
    if stored != tuple(expected.values()):
        log.warning("the columns of record %d are made anew", sound.number)
        places = ", ".join(f"{name} = ?" for name in expected)
        journal.write(
            f"UPDATE records SET {places} WHERE number = ?", *expected.values(), sound.number
        )
    if not _is_indexed(journal, sound.number, expected):
        log.warning("the indexes are made anew; record %d was missing in one", sound.number)
        journal.write("REINDEX")


def _expected(journal: Journal, sound: Record) -> dict[str, Any]:
    names = schema.DERIVED.split(", ")
    expected = dict(zip(names, schema.derived_columns(sound, journal.clock), strict=True))
    if sound.kind == KIND_INTENT:
        stored = journal.payment_state(sound.number)
        expected["state"] = _state(journal, sound.number)
        if expected["state"] != stored:
            _mend_links(journal, sound.number)
            expected["state"] = _state(journal, sound.number)
        state = expected["state"]
        if state == KIND_VOID or (state == KIND_RULED and _found_not_taken(journal, sound.number)):
            expected["fen"] = 0
    return {**expected, "damaged": 0}


def _state(journal: Journal, intent: int) -> int:
    newest = journal.row(
        "SELECT kind FROM records WHERE intent = ? AND kind BETWEEN 2 AND 6"
        " ORDER BY number DESC LIMIT 1",
        intent,
    )
    return KIND_INTENT if newest is None else int(newest[0])


def _found_not_taken(journal: Journal, intent: int) -> bool:
    """By the office's ruling, if it is sound: a damaged one proves nothing."""
    try:
        newest = journal.outcome_of(intent)
    except JournalDamagedError:
        return False
    return newest is not None and takes_nothing(newest.kind, newest.body)


def _mend_links(journal: Journal, after: int) -> None:
    """Before a payment's state is changed: no later record that speaks of it may be overlooked."""
    journal.write("REINDEX")
    while page := journal.rows(
        "SELECT number, raw, kind, intent FROM records WHERE number > ? ORDER BY number LIMIT 500",
        after,
    ):
        after = page[-1][0]
        for number, raw, kind, intent in page:
            found = _read(journal, (number, raw))
            if isinstance(found, Record) and (kind, intent) != (
                found.kind,
                found.body.get(KEY_INTENT),
            ):
                values = (found.kind, found.body.get(KEY_INTENT), number)
                journal.write("UPDATE records SET kind = ?, intent = ? WHERE number = ?", *values)


def _is_indexed(journal: Journal, number: int, expected: dict[str, Any]) -> bool:
    """Every index that covers the row finds it."""
    state, kind = expected["state"], expected["kind"]
    covers = {
        "records_open": state in (1, 5),
        "records_intent": expected["intent"] is not None,
        "records_order": expected["order_no"] is not None,
        "records_day": expected["day"] is not None,
        "records_done": state == 2,
        "records_terminal": expected["terminal"] is not None,
        "records_rare": kind in (21, 22),
    }
    return all(
        journal.row(
            f"SELECT 1 FROM records INDEXED BY {index} WHERE {condition} AND number = :number",
            **expected,
            number=number,
        )
        for index, condition in _PROBES.items()
        if covers[index]
    )
