"""The one connection that writes: whole transactions or nothing.  Not safe for two threads."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from firmware.clock import Clock
from firmware.journal import schema
from firmware.journal.cose import key_id
from firmware.journal.kinds import KEY_INTENT
from firmware.journal.lifecycle import OUTCOME_KINDS, takes_nothing
from firmware.journal.record import NO_PREVIOUS, Record, digest_of


class Writer:
    """clock: for the local day of an INTENT.  Every method raises JournalError."""

    def __init__(self, path: Path, clock: Clock):
        self._clock = clock
        try:
            self._connection = schema.connect(path)
        except sqlite3.Error as error:
            raise schema.failure(error) from error

    def write(self, sql: str, *values: object) -> None:
        """One statement, on the disk when this returns."""
        try:
            self._connection.execute(sql, values)
        except sqlite3.Error as error:
            raise schema.failure(error) from error

    def write_all(self, statements: Sequence[tuple[object, ...]]) -> None:
        """(SQL, its values ...) each, in one transaction, which is one fdatasync."""
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            for sql, *values in statements:
                self._connection.execute(str(sql), values)
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            self._undo()
            raise schema.failure(error) from error

    def ask(self, sql: str, *values: object) -> Any:
        """The first row, or None."""
        try:
            return self._connection.execute(sql, values).fetchone()
        except sqlite3.Error as error:
            raise schema.failure(error) from error

    def transact(self, records: Sequence[Record]) -> None:
        """Add the records in one transaction, which is one fdatasync."""
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            for each in records:
                self._insert(each)
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            self._undo()
            raise schema.failure(error) from error

    def _undo(self) -> None:
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")

    def _insert(self, new: Record) -> None:
        derived = schema.derived_columns(new, self._clock)
        self._connection.execute(schema.INSERT, (new.number, new.raw, *derived))
        if new.kind in OUTCOME_KINDS:
            self._connection.execute(
                "UPDATE records SET state = ?, fen = iif(?, 0, fen) WHERE number = ? AND kind = 1",
                (new.kind, takes_nothing(new.kind, new.body), new.body[KEY_INTENT]),
            )

    def head(self) -> tuple[int, bytes]:
        """Number and digest of the newest row, its bytes taken as they are, sound or not."""
        row = self.ask(
            "SELECT number, CAST(coalesce(raw, '') AS BLOB) FROM records"
            " ORDER BY number DESC LIMIT 1"
        )
        return (0, NO_PREVIOUS) if row is None else (row[0], digest_of(row[1]))

    def count_start(self) -> int:
        """This start's count, on the disk before any record names it."""
        self.write(
            "INSERT INTO counters VALUES ('boot', 1)"
            " ON CONFLICT (name) DO UPDATE SET value = value + 1"
        )
        return int(self.ask("SELECT value FROM counters WHERE name = 'boot'")[0])

    def keep_key(self, public_key: bytes) -> None:
        """Remember a device key, for the day when it is no longer the one in use."""
        self.write("INSERT OR IGNORE INTO keys VALUES (?, ?)", key_id(public_key), public_key)

    def close(self) -> None:
        self._connection.close()
