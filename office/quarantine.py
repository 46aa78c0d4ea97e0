"""Batches that are stored and not in the books: those of a revoked unit, and those found spoilt.

Their files stay; their rows in `records` and what they say of payments are taken out.  A receipt
that was given stays given: the leaf is in the tree.
"""

from __future__ import annotations

from collections.abc import Sequence

from firmware.journal.batch import open_file, records_of
from firmware.journal.statement import BatchError
from office.books import Entry, enter
from office.derive import derive
from office.errors import OfficeError
from office.store import BatchRow, Store

REVOKED = "revoked"
SPOILT = "spoilt"


def put(store: Store, unit: str, batches: Sequence[int], why: str) -> None:
    """Take these batches out of the books.  Raises OfficeError 909."""
    if batches:
        with store.transaction():
            store.database.lock_rows("units", "unit", [unit])
            _put(store, unit, batches, why)


def _put(store: Store, unit: str, batches: Sequence[int], why: str) -> None:
    for batch in batches:
        store.write("DELETE FROM records WHERE unit = ? AND batch = ?", unit, batch)
        sql = "UPDATE batches SET quarantined = ? WHERE unit = ? AND batch = ?"
        store.write(sql, why, unit, batch)
    _count_again(store, unit)


def _count_again(store: Store, unit: str) -> None:
    """The unit's payments from its batches that are in the books."""
    store.write("DELETE FROM payments WHERE unit = ?", unit)
    sql = "SELECT batch FROM batches WHERE unit = ? AND quarantined IS NULL ORDER BY batch"
    for (batch,) in store.rows(sql, unit):
        _enter(store, unit, batch, with_records=False)


def _enter(store: Store, unit: str, batch: int, *, with_records: bool) -> None:
    try:
        sealed = open_file(store.file(unit, batch) or b"")
        content = derive(sealed.statement, *records_of(sealed))
    except BatchError:
        return  # `check` says so
    records = content.records if with_records else []
    enter(store, [Entry(unit, batch, content._replace(records=records), False)])


def forget(store: Store, row: BatchRow) -> None:
    """Of a batch that never was in the books: it has come again, whole."""
    store.write("DELETE FROM batches WHERE unit = ? AND batch = ?", row.unit, row.batch)


def revoke(store: Store, unit: str, since_ms: int) -> list[int]:
    """Records of that unit from then on leave the books, and none comes in any more.

    The batches that hold such records.  Raises OfficeError 801 for a unit that is not enrolled.
    """
    with store.transaction():
        _known(store, unit)
        store.write("UPDATE units SET revoked_ms = ? WHERE unit = ?", since_ms, unit)
        sql = (
            "SELECT batch FROM batches WHERE unit = ? AND newest_ms >= ? AND quarantined IS NULL"
            " ORDER BY batch"
        )
        found = [batch for (batch,) in store.rows(sql, unit, since_ms)]
        _put(store, unit, found, REVOKED)
    return found


def reinstate(store: Store, unit: str) -> list[int]:
    """The revocation was a mistake: what had been in the books comes back; what came since is
    booked when the unit sends it again.  Raises OfficeError 801."""
    with store.transaction():
        _known(store, unit)
        store.write("UPDATE units SET revoked_ms = NULL WHERE unit = ?", unit)
        sql = (
            "SELECT batch FROM batches WHERE unit = ? AND quarantined = ?"
            " AND receipt IS NOT NULL ORDER BY batch"
        )
        found = [batch for (batch,) in store.rows(sql, unit, REVOKED)]
        for batch in found:
            sql = "UPDATE batches SET quarantined = NULL WHERE unit = ? AND batch = ?"
            store.write(sql, unit, batch)
            _enter(store, unit, batch, with_records=True)
    return found


def _known(store: Store, unit: str) -> None:
    """Holds the unit's row."""
    if store.row("SELECT 1 FROM keys WHERE unit = ?", unit) is None:
        raise OfficeError(801, unit)
    sql = "INSERT INTO units VALUES (?, NULL, 0, 0, ?, ?) ON CONFLICT DO NOTHING"
    store.write(sql, unit, b"", b"")
    store.database.lock_rows("units", "unit", [unit])
