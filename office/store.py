"""The office's store: SQLite, one writer at a time, every intake one transaction.

`records.raw`, `batches.header` and `batches.receipt` are the bytes as signed; the other columns are
found again from them.  The exact-once key of a record is (unit, number).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from office.errors import OfficeError

VERSION = 3
TABLES = """
CREATE TABLE office (name TEXT NOT NULL);
CREATE TABLE keys (
    unit TEXT NOT NULL, key_id BLOB NOT NULL, public_key BLOB NOT NULL, request BLOB NOT NULL,
    enrolled_ms INTEGER NOT NULL, PRIMARY KEY (unit, key_id)
);
CREATE TABLE batches (
    unit TEXT NOT NULL, batch INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL,
    header BLOB NOT NULL, file_digest BLOB NOT NULL, receipt BLOB NOT NULL,
    received_ms INTEGER NOT NULL, PRIMARY KEY (unit, batch)
);
CREATE TABLE records (
    unit TEXT NOT NULL, number INTEGER NOT NULL, batch INTEGER NOT NULL, raw BLOB NOT NULL,
    time_ms INTEGER NOT NULL, PRIMARY KEY (unit, number)
);
CREATE INDEX records_batch ON records (unit, batch);
CREATE INDEX records_time ON records (time_ms);
CREATE TABLE payments (
    unit TEXT NOT NULL, intent INTEGER NOT NULL, card_id BLOB, purchase_serial INTEGER,
    done INTEGER, PRIMARY KEY (unit, intent)
);
CREATE INDEX payments_once ON payments (card_id, purchase_serial) WHERE done IS NOT NULL;
CREATE TABLE stop_entries (entry BLOB PRIMARY KEY);
CREATE TABLE signed_files (
    what TEXT NOT NULL, number INTEGER NOT NULL, raw BLOB NOT NULL, PRIMARY KEY (what, number)
);
"""

PRESENCE = """
CREATE TABLE presence_requests (
    request_no TEXT PRIMARY KEY, nonce BLOB NOT NULL, made_ms INTEGER NOT NULL, statement BLOB
);
"""
TREE = """
CREATE TABLE tree (
    level INTEGER NOT NULL, place INTEGER NOT NULL, hash BLOB NOT NULL, PRIMARY KEY (level, place)
) WITHOUT ROWID;
"""
UPGRADES = {1: PRESENCE, 2: TREE}
"""Version found -> what makes it the next one; a new store gets all of it."""


class BatchRow(NamedTuple):
    """One stored batch.  first, last: record numbers covered; digests are SHA-256."""

    unit: str
    batch: int
    first: int
    last: int
    header: bytes
    file_digest: bytes
    receipt: bytes


_BATCH = "SELECT unit, batch, first, last, header, file_digest, receipt FROM batches "


class TreeRows:
    """The tree's hashes as rows (tree.py)."""

    def __init__(self, store: Store):
        self._store = store

    def size(self) -> int:
        """How many leaves there are."""
        row = self._store.row("SELECT max(place) FROM tree WHERE level = 0")
        return 0 if row is None or row[0] is None else int(row[0]) + 1

    def get(self, level: int, index: int) -> bytes:
        row = self._store.row("SELECT hash FROM tree WHERE level = ? AND place = ?", level, index)
        if row is None:
            raise OfficeError(909, f"the tree lacks hash {index} of level {level}")
        return bytes(row[0])

    def put(self, level: int, index: int, value: bytes) -> None:
        self._store.write("INSERT INTO tree VALUES (?, ?, ?)", level, index, value)


class Store:
    """Raises OfficeError 909 for whatever SQLite cannot do."""

    def __init__(self, path: Path, *, create: bool = False):
        if not create and not path.exists():
            raise OfficeError(901, str(path.parent))
        with _sqlite():
            self._db = sqlite3.connect(path, isolation_level=None, timeout=30)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            if create:
                self._db.executescript(
                    f"BEGIN; {TABLES} {PRESENCE} {TREE} PRAGMA user_version = {VERSION}; COMMIT;"
                )
            found = self._db.execute("PRAGMA user_version").fetchone()[0]
            while found in UPGRADES:
                made = f"{UPGRADES[found]} PRAGMA user_version = {found + 1};"
                self._db.executescript(f"BEGIN; {made} COMMIT;")
                found += 1
        if found != VERSION:
            raise OfficeError(909, f"{path} has version {found}, this release knows {VERSION}")

    def close(self) -> None:
        self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All of it is on the disk when this ends, or, after any exception, nothing."""
        with _sqlite():
            self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        with _sqlite():
            self._db.execute("COMMIT")

    def rows(self, sql: str, *arguments: object) -> list[tuple[Any, ...]]:
        with _sqlite():
            return self._db.execute(sql, arguments).fetchall()

    def row(self, sql: str, *arguments: object) -> tuple[Any, ...] | None:
        with _sqlite():
            found: tuple[Any, ...] | None = self._db.execute(sql, arguments).fetchone()
        return found

    def write(self, sql: str, *arguments: object) -> None:
        with _sqlite():
            self._db.execute(sql, arguments)

    def write_all(self, sql: str, rows: Iterable[tuple[object, ...]]) -> None:
        """The same for each of the rows; what they raise passes through."""
        with _sqlite():
            self._db.executemany(sql, rows)

    @property
    def tree(self) -> TreeRows:
        return TreeRows(self)

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

    def record(self, unit: str, number: int) -> bytes | None:
        """The stored bytes of one record."""
        row = self.row("SELECT raw FROM records WHERE unit = ? AND number = ?", unit, number)
        return None if row is None else row[0]


@contextmanager
def _sqlite() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise OfficeError(909, str(error)) from None
