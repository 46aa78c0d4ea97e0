"""How one batch must continue another.  Raises Refused 803 (chain) and 804 (numbers)."""

from __future__ import annotations

from firmware.journal.batch import BatchContents, verify_contents
from firmware.journal.record import NO_PREVIOUS
from office.errors import Refused
from office.store import BatchRow, Store


def stored(store: Store, row: BatchRow) -> BatchContents:
    """A stored batch, verified again from its stored bytes; raises BatchError."""
    raws = store.rows(
        "SELECT raw FROM records WHERE unit = ? AND batch = ? ORDER BY number", row.unit, row.batch
    )
    return verify_contents(row.header, [raw for (raw,) in raws], *store.keys(row.unit))


def begins(batch: BatchContents) -> None:
    """Batch 1 of a unit starts with record 1, and nothing lies before either."""
    statement, first = batch.statement, batch.records[0]
    if statement.first != 1:
        raise Refused(804, f"batch 1 starts with record {statement.first}")
    if statement.previous != NO_PREVIOUS:
        raise Refused(803, "batch 1 names a batch before it")
    if first.number == 1 and first.previous != NO_PREVIOUS:
        raise Refused(803, "record 1 names a record before it")


def follows(one: BatchContents, two: BatchContents) -> None:
    """`two` is the next stored batch above `one`; between them batches may be missing."""
    above, below = two.statement, one.statement
    if above.first <= below.last:
        raise Refused(804, f"batches {below.batch} and {above.batch} both hold {above.first}")
    if above.batch != below.batch + 1:
        return
    if above.first != below.last + 1:
        raise Refused(
            804, f"batch {below.batch} ends with {below.last}, the next starts with {above.first}"
        )
    if above.previous != below.digest:
        raise Refused(803, f"batch {above.batch} was not sealed after this batch {below.batch}")
    first = two.records[0]
    if first.number == above.first and first.previous != one.records[-1].digest:
        raise Refused(803, f"record {first.number} does not follow record {below.last}")
