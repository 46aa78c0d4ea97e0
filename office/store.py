"""The office's store: what is in it, whichever database holds it (sqlite.py, postgres.py).

Every intake is one transaction.  The exact-once keys are (unit, batch) and (unit, number).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from firmware.journal.batch import take_apart
from firmware.journal.record import digest_of
from firmware.journal.statement import BatchError, claimed_statement
from office.database import Database, Derived
from office.errors import OfficeError
from office.postgres import SCHEMES, Postgres
from office.sqlite import Sqlite
from office.tables import VERSION

_KEPT_UNPACKED = 32


class BatchRow(NamedTuple):
    """One stored batch but for its file.  first, last: record numbers covered; the digests are
    SHA-256 (`digest`: of the statement).  opens: what its record `first` names as the record
    before, None when that record was damaged.  head: digest of its last record.  receipt, tree,
    leaf: None for a batch that never was in the books.  quarantined: why it is not in them."""

    unit: str
    batch: int
    first: int
    last: int
    file_digest: bytes
    digest: bytes
    previous: bytes
    opens: bytes | None
    head: bytes
    tree: str | None
    leaf: int | None
    receipt: bytes | None
    quarantined: str | None


_BATCH = f"SELECT {', '.join(BatchRow._fields)} FROM batches "


class Store:
    """place: the file of an SQLite database, or the URL of a PostgreSQL one.

    Raises OfficeError 901 where there is none, 909 for whatever the database cannot do.
    """

    def __init__(self, place: Path | str, *, create: bool = False, name: str = ""):
        is_server = isinstance(place, str) and place.startswith(SCHEMES)
        self.database: Database = (
            Postgres(str(place), create=create) if is_server else Sqlite(Path(place), create=create)
        )
        self._unpacked = lru_cache(_KEPT_UNPACKED)(self._unpack)
        if create:
            self.write("INSERT INTO office VALUES (?, ?)", name, VERSION)
        found = self.row("SELECT version FROM office")
        if found != (VERSION,):
            told = found[0] if found else "none"
            raise OfficeError(909, f"the store has version {told}, this release knows {VERSION}")

    def close(self) -> None:
        self.database.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All of it is on the disk when this ends, or, after any exception, nothing."""
        self.database.begin()
        try:
            yield
            self.database.commit()
        except BaseException:
            self.database.rollback()
            raise

    def rows(self, sql: str, *arguments: object) -> list[tuple[Any, ...]]:
        return self.database.execute(sql, arguments)

    def row(self, sql: str, *arguments: object) -> tuple[Any, ...] | None:
        found = self.database.execute(sql, arguments)
        return found[0] if found else None

    def write(self, sql: str, *arguments: object) -> None:
        self.database.execute(sql, arguments)

    def write_all(self, sql: str, rows: Iterable[Sequence[object]]) -> None:
        """The same for each of the rows; what they raise passes through."""
        self.database.execute_all(sql, rows)

    def load(self, several: Sequence[Derived]) -> None:
        self.database.load(several)

    def name(self) -> str:
        row = self.row("SELECT name FROM office")
        if row is None:
            raise OfficeError(909, "the office has no name")
        return str(row[0])

    def units(self) -> list[str]:
        """Every enrolled unit, in order."""
        return [unit for (unit,) in self.rows("SELECT DISTINCT unit FROM keys ORDER BY unit")]

    def keys(self, unit: str) -> list[bytes]:
        """The raw public keys the unit was enrolled with, the newest first; [] when unknown."""
        sql = "SELECT public_key FROM keys WHERE unit = ? ORDER BY enrolled_ms DESC, key_id"
        return [key for (key,) in self.rows(sql, unit)]

    def batch(self, unit: str, number: int) -> BatchRow | None:
        row = self.row(_BATCH + "WHERE unit = ? AND batch = ?", unit, number)
        return None if row is None else BatchRow(*row)

    def batches(self, unit: str) -> list[BatchRow]:
        """In the order of their numbers."""
        return [BatchRow(*r) for r in self.rows(_BATCH + "WHERE unit = ? ORDER BY batch", unit)]

    def neighbours(self, unit: str, number: int) -> tuple[BatchRow | None, BatchRow | None]:
        """The nearest stored batches below and above `number`."""
        below = self.row(
            _BATCH + "WHERE unit = ? AND batch < ? ORDER BY batch DESC LIMIT 1", unit, number
        )
        above = self.row(
            _BATCH + "WHERE unit = ? AND batch > ? ORDER BY batch LIMIT 1", unit, number
        )
        return (
            None if below is None else BatchRow(*below),
            None if above is None else BatchRow(*above),
        )

    def overlapping(self, unit: str, first: int, last: int) -> list[BatchRow]:
        """The stored batches that cover a number of first..last, in order."""
        sql = "WHERE unit = ? AND first <= ? AND last >= ? ORDER BY first"
        return [BatchRow(*row) for row in self.rows(_BATCH + sql, unit, last, first)]

    def file(self, unit: str, batch: int) -> bytes | None:
        """A batch file as it came."""
        row = self.row("SELECT file FROM batches WHERE unit = ? AND batch = ?", unit, batch)
        return None if row is None else row[0]

    def record(self, unit: str, number: int) -> bytes | None:
        """The bytes of one record, unverified; None when it or its batch is not there."""
        row = self.row("SELECT batch FROM records WHERE unit = ? AND number = ?", unit, number)
        return None if row is None else self.raws(unit, row[0]).get(number)

    def raws(self, unit: str, batch: int) -> dict[int, bytes]:
        """Record number -> its bytes, unverified; {} for a batch that is not there or spoilt."""
        return self._unpacked(unit, batch)

    def digests(self, unit: str, batch: int) -> dict[int, bytes]:
        """Record number -> digest of its bytes."""
        return {number: digest_of(raw) for number, raw in self._unpacked(unit, batch).items()}

    def _unpack(self, unit: str, batch: int) -> dict[int, bytes]:
        file = self.file(unit, batch)
        if file is None:
            return {}
        try:
            statement, raws, _ = take_apart(file)
            return dict(zip(claimed_statement(statement)[0].numbers(), raws, strict=False))
        except BatchError:
            return {}

    def holes(self, unit: str | None = None) -> list[tuple[str, int, int]]:
        """(unit, first, last) of the records that never came, though later ones did."""
        chosen, arguments = ("", ()) if unit is None else ("WHERE unit = ?", (unit,))
        found = self.rows(
            "SELECT unit, before + 1, first - 1 FROM (SELECT unit, first, coalesce("
            f"lag(last) OVER (PARTITION BY unit ORDER BY batch), 0) AS before FROM batches {chosen}"
            ") AS neighbours WHERE first > before + 1 ORDER BY unit, first",
            *arguments,
        )
        return [(each, first, last) for each, first, last in found]
