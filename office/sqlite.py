"""The store's database as a file: SQLite, one writer at a time, every commit on the disk."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from office.database import AlreadyThere, Derived
from office.errors import OfficeError
from office.tables import for_sqlite

_WAIT_S = 30


class Sqlite:
    """One connection, for whichever thread has it; raises OfficeError 901, 909."""

    def __init__(self, path: Path, *, create: bool = False):
        if not create and not path.exists():
            raise OfficeError(901, str(path.parent))
        self._path = path
        self._db = self._open()
        if create:
            with _errors():
                self._db.executescript(f"BEGIN; {for_sqlite()} COMMIT;")

    def _open(self) -> sqlite3.Connection:
        with _errors():
            db = sqlite3.connect(
                self._path, isolation_level=None, timeout=_WAIT_S, check_same_thread=False
            )
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = FULL")
            return db

    def execute(self, sql: str, arguments: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        with _errors():
            return self._db.execute(sql, arguments).fetchall()

    def execute_all(self, sql: str, rows: Iterable[Sequence[object]]) -> None:
        with _errors():
            self._db.executemany(sql, rows)

    def load(self, several: Sequence[Derived]) -> None:
        self.execute_all(
            "INSERT INTO records VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            ((each.unit, row[0], each.batch, *row[1:]) for each in several for row in each.records),
        )
        self.execute_all(
            "INSERT INTO payments VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            ((each.unit, *row) for each in several for row in each.payments),
        )

    def begin(self) -> None:
        self.execute("BEGIN IMMEDIATE")

    def commit(self) -> None:
        self.execute("COMMIT")

    def rollback(self) -> None:
        with suppress(sqlite3.Error):
            self._db.execute("ROLLBACK")

    def lock_rows(self, table: str, column: str, values: Sequence[str]) -> None:
        """BEGIN IMMEDIATE holds everything."""

    def prefer_indexes(self) -> None:
        """It has no statistics."""

    def reconnect(self) -> None:
        self.close()
        self._db = self._open()

    def close(self) -> None:
        self._db.close()


@contextmanager
def _errors() -> Iterator[None]:
    try:
        yield
    except sqlite3.IntegrityError as error:
        raise AlreadyThere(str(error)) from None
    except (sqlite3.Error, OverflowError) as error:
        raise OfficeError(909, str(error)) from None
