"""A stored batch proved again from its file; the columns beside the file must say the same."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from firmware.journal import record
from firmware.journal.batch import open_file, records_of
from firmware.journal.record import Record, RecordError, digest_of
from firmware.journal.statement import BatchError, Statement, read_statement
from office import keys
from office.derive import derive
from office.store import BatchRow, Store


class Sound(NamedTuple):
    """The signatures of the records themselves were not looked at."""

    statement: Statement
    records: list[Record]


def sound(store: Store, row: BatchRow) -> Sound:
    """Statement, root, chain, form of every record, rows; raises BatchError."""
    file = store.file(row.unit, row.batch) or b""
    sealed = open_file(file)
    signing = keys.statement_key(keys.keys_of(store, row.unit), sealed.statement)
    statement = read_statement(sealed.statement.raw, signing)
    raws, digests = records_of(sealed)
    content = derive(statement, raws, digests)
    told = (statement.unit, statement.batch, statement.first, statement.last, digest_of(file))
    told += (statement.digest, statement.previous, content.opens, digests[-1])
    if told != row[: len(told)]:
        raise BatchError("its row in the store does not agree with its file")
    if row.quarantined is None and content.records != _rows(store, row):
        raise BatchError("its records' rows in the store do not agree with its file")
    try:
        return Sound(statement, [record.claimed(raw) for raw in raws])
    except RecordError as error:
        raise BatchError(str(error)) from None


def _rows(store: Store, row: BatchRow) -> list[tuple[int | None, ...]]:
    sql = (
        "SELECT number, kind, time_ms, boot, trust, intent, outcome FROM records"
        " WHERE unit = ? AND batch = ? AND number BETWEEN ? AND ? ORDER BY number"
    )
    return store.rows(sql, row.unit, row.batch, row.first, row.last)


def singly(store: Store, row: BatchRow) -> Iterator[tuple[int, Record | str]]:
    """Number by number the record, where its own signature is right, or what is wrong."""
    known = keys.keys_of(store, row.unit)
    raws = store.raws(row.unit, row.batch)
    sql = "SELECT number FROM records WHERE unit = ? AND batch = ? ORDER BY number"
    for (number,) in store.rows(sql, row.unit, row.batch):
        try:
            yield number, keys.read(raws[number], known)
        except KeyError:
            yield number, "it is not in the file"
        except RecordError as error:
            yield number, str(error)
