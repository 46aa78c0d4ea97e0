"""Every signature of every record, on all cores; a batch with a wrong one leaves the books.

Intake verifies all it can afford at once (transaction.py); this is the rest of the proof, for
`sscoffice check --deep` and for a record that somebody opens.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing import get_context
from typing import NamedTuple

from firmware.journal.batch import open_file, records_of
from firmware.journal.record import Record, RecordError
from firmware.journal.statement import BatchError, read_statement
from office import quarantine
from office.derive import derive
from office.errors import OfficeError
from office.keys import DeviceKey, keys_of, read, statement_key
from office.store import Store

Progress = Callable[[int, int], None]
"""Records verified, records in all."""


class Wrong(NamedTuple):
    """A batch that was found wrong, and why."""

    unit: str
    batch: int
    why: str


def verify_file(file: bytes, keys: Sequence[DeviceKey]) -> int:
    """How many records the file holds, every rule and signature right; raises BatchError."""
    sealed = open_file(file)
    read_statement(sealed.statement.raw, statement_key(keys, sealed.statement))
    raws, digests = records_of(sealed)
    content = derive(sealed.statement, raws, digests)
    for number, raw in zip(content.numbers, raws, strict=True):
        try:
            read(raw, keys)
        except RecordError as error:
            raise BatchError(f"record {number}: {error}") from None
    return len(raws)


def verify(store: Store, progress: Progress, processes: int | None = None) -> list[Wrong]:
    """Every batch in the books; those that are wrong go into quarantine.  Raises OfficeError."""
    workers = processes or os.cpu_count() or 1
    total = store.rows("SELECT coalesce(sum(records), 0) FROM batches WHERE quarantined IS NULL")
    done, wrong = 0, []
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        for unit, batch, count, why in _results(store, pool, 4 * workers):
            done += count
            progress(done, int(total[0][0]))
            if why is not None:
                wrong.append(Wrong(unit, batch, why))
    for unit in sorted({each.unit for each in wrong}):
        quarantine.put(store, unit, [e.batch for e in wrong if e.unit == unit], quarantine.SPOILT)
    return wrong


def _results(
    store: Store, pool: ProcessPoolExecutor, most: int
) -> Iterator[tuple[str, int, int, str | None]]:
    """(unit, batch, records, what is wrong); at most so many files are in memory."""
    waiting: list[tuple[str, int, int, Future[str | None]]] = []
    for unit in store.units():
        keys = keys_of(store, unit)
        sql = "SELECT batch, records FROM batches WHERE unit = ? AND quarantined IS NULL"
        for batch, records in store.rows(f"{sql} ORDER BY batch", unit):
            file = store.file(unit, batch) or b""
            waiting.append((unit, batch, records, pool.submit(_problem, file, keys)))
            if len(waiting) >= most:
                one, number, count, future = waiting.pop(0)
                yield one, number, count, future.result()
    for one, number, count, future in waiting:
        yield one, number, count, future.result()


def _problem(file: bytes, keys: Sequence[DeviceKey]) -> str | None:
    try:
        verify_file(file, keys)
    except BatchError as error:
        return str(error)
    return None


def open_record(store: Store, unit: str, number: int) -> Record:
    """One record, its signature verified; raises OfficeError 906 when it is not here, 802 when it
    is wrong: its batch is then in quarantine."""
    raw = store.record(unit, number)
    if raw is None:
        raise OfficeError(906, f"record {number} of {unit} is not here")
    try:
        return read(raw, keys_of(store, unit))
    except RecordError as error:
        row = store.row("SELECT batch FROM records WHERE unit = ? AND number = ?", unit, number)
        if row is not None:
            quarantine.put(store, unit, [row[0]], quarantine.SPOILT)
        raise OfficeError(802, f"record {number}: {error}") from None
