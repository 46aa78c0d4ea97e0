"""The rows of a large stop list on the disk: one file for each list, written whole or not at all.

applied/stoplist-<number>.rows is written, synced, before applied/stoplist.cose names it; it is
searched where it lies (mmap), and older ones go when the new list is in force.
"""

from __future__ import annotations

import hashlib
import mmap
from collections.abc import Iterator
from pathlib import Path

from firmware.authorize.filekeeper import Misfit
from firmware.authorize.stoplist import StopList, Table
from firmware.journal import spool
from firmware.journal.stoprows import KEY, ROW, Rows

_PIECE = 1 << 16


class StopTables:
    """The DataStore (authorize/filekeeper.py) of stop lists."""

    def __init__(self, folder: Path):
        self._folder = folder

    def open(self, held: StopList) -> None:
        if held.table is None:
            return
        with self._path(held).open("rb") as file:
            for _ in _checked(iter(lambda: file.read(_PIECE), b""), held.table):
                pass
            held.rows = _mapped(file.fileno(), held.table)

    def take(self, came: StopList, data: memoryview, held: StopList | None) -> None:
        table = came.table
        if table is None:
            if data:
                raise ValueError("data follow a stop list that has no rows")
            return
        here = 0 if held is None else held.number
        if table.base not in (0, here):
            name = "NEWER_STOP_LIST_HELD" if table.base < here else "OLDER_STOP_LIST_HELD"
            detail = f"{came.number} changes number {table.base}, number {here} is in force"
            raise Misfit(name, detail)
        gone = table.removed * KEY
        if len(data) != gone + table.added * ROW:
            raise ValueError("the data behind the stop list have another length")
        old = held.rows if held is not None and table.base else Rows()
        pieces = old.changed(data[:gone], data[gone:])
        spool.write_pieces(self._path(came), _checked(pieces, table))
        with self._path(came).open("rb") as file:
            came.rows = _mapped(file.fileno(), table)

    def sweep(self, held: StopList) -> None:
        for path in (*self._folder.glob("stoplist-*.rows"), *self._folder.glob(".stoplist*.new")):
            if path != self._path(held):
                path.unlink(missing_ok=True)

    def _path(self, stop_list: StopList) -> Path:
        return self._folder / f"stoplist-{stop_list.number}.rows"


def _checked(pieces: Iterator[bytes], table: Table) -> Iterator[bytes]:
    """The pieces; at their end ValueError unless they were what was signed."""
    digest, size = hashlib.sha256(), 0
    for piece in pieces:
        digest.update(piece)
        size += len(piece)
        yield piece
    if (size, digest.digest()) != (table.rows * ROW, table.digest):
        raise ValueError("the rows are not the ones that were signed")


def _mapped(descriptor: int, table: Table) -> Rows:
    if not table.rows:
        return Rows()  # an empty file cannot be mapped
    return Rows(mmap.mmap(descriptor, table.rows * ROW, access=mmap.ACCESS_READ))
