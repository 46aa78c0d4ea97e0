"""The firmware as it is, and the same code spoilt in one place: each must be caught.

A build is put on in the child process that writes; the judge always runs the firmware as it is.
"""

from __future__ import annotations

import functools
import os
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from firmware.journal import ownfile, spool
from firmware.journal.prune import Pruner
from firmware.journal.record import Record
from firmware.journal.view import View
from firmware.journal.writer import Writer


def _nothing(handle: int) -> None:
    """In place of a sync."""


def _with_synchronous(mode: str) -> None:
    """Whatever the firmware asks of SQLite, its connections have that mode from the start."""

    class Spoilt(sqlite3.Connection):
        def __init__(self, *arguments: Any, **named: Any):
            super().__init__(*arguments, **named)
            super().execute(f"PRAGMA synchronous = {mode}")

        def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
            if sql.startswith("PRAGMA synchronous"):
                sql = "PRAGMA synchronous"
            return super().execute(sql, *values)

    sqlite3.connect = functools.partial(sqlite3.connect, factory=Spoilt)


def as_it_is() -> None:
    """Nothing is spoilt."""


def unsynced() -> None:
    """No fdatasync, no fsync anywhere: not in SQLite, not for files, not for folders."""
    _with_synchronous("OFF")
    os.fsync = os.fdatasync = _nothing


def synced_at_checkpoints_only() -> None:
    """SQLite's own default for a write-ahead log: a commit is not synced."""
    _with_synchronous("NORMAL")


def early() -> None:
    """`append` returns before the commit, which whatever comes next makes up for."""
    waiting: list[sqlite3.Connection] = []

    def commit() -> None:
        while waiting:
            waiting.pop().execute("COMMIT")

    def transact(self: Writer, records: Sequence[Record]) -> None:
        commit()
        self._connection.execute("BEGIN IMMEDIATE")
        for each in records:
            self._insert(each)
        waiting.append(self._connection)

    def first(method: Callable[..., Any]) -> Callable[..., Any]:
        def committed(*arguments: Any, **named: Any) -> Any:
            commit()
            return method(*arguments, **named)

        return committed

    Writer.transact = transact  # type: ignore[method-assign]
    for owner, name in ((Writer, "write"), (Writer, "close"), (View, "rows")):
        setattr(owner, name, first(getattr(owner, name)))


def renamed_unsynced() -> None:
    """Files, those in out/ too, get their names before their bytes are on the medium."""

    def write_pieces(path: Path, pieces: Sequence[bytes]) -> None:
        beside = path.with_name(f".{path.name}.new")
        beside.write_bytes(b"".join(pieces))
        os.replace(beside, path)
        spool.sync_folder(path.parent)

    spool.write_pieces = write_pieces  # type: ignore[assignment]


def key_unsynced() -> None:
    """A device key signs before it is on the medium."""

    def create(path: Path, content: bytes) -> None:
        path.write_bytes(content)
        path.chmod(0o600)

    ownfile.create = create


def forgetful() -> None:
    """Old payments leave, and nothing remembers their order numbers."""
    forget = Pruner._forget

    def without_orders(self: Pruner, gone: list[int], orders: object, looked_at: int) -> None:
        forget(self, gone, {}, looked_at)

    Pruner._forget = without_orders  # type: ignore[method-assign]


def hasty() -> None:
    """Old records leave before the office has them."""
    Pruner._find_reach = lambda self: self._journal.head()[0] - 1  # type: ignore[method-assign]
    Pruner._receipted = lambda self, first, last: [(first, last)]  # type: ignore[method-assign]


BUILDS: dict[str, Callable[[], None]] = {
    "as-it-is": as_it_is,
    "unsynced": unsynced,
    "synced-at-checkpoints-only": synced_at_checkpoints_only,
    "early": early,
    "renamed-unsynced": renamed_unsynced,
    "key-unsynced": key_unsynced,
    "forgetful": forgetful,
    "hasty": hasty,
}
