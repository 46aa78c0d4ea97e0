"""The cards of a large stop list: fixed-size rows, sorted, searched where they lie.

A row is 9 bytes: key (8), the first bytes of SHA-256 of card id (16) and card number (UTF-8), then
the card's life state (1), NO_STATE where none is told.  An empty card number names every card of
that id.  Rows ascend by key and no key occurs twice.  A card that is not on a list of a million is
taken for one that is with a probability of 5e-14.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from itertools import pairwise
from mmap import mmap

KEY = 8
ROW = KEY + 1
MAX_ROWS = 1_300_000  # in one file, see signedfile.MAX_FILE
NO_STATE = 0xFF
_PIECE = 1 << 16  # bytes copied at a time

Buffer = bytes | mmap | memoryview


def key_of(card_id: bytes, card_number: str) -> bytes:
    return hashlib.sha256(card_id + card_number.encode()).digest()[:KEY]


class Rows:
    """Sorted rows in a buffer that is not copied."""

    def __init__(self, buffer: Buffer = b""):
        self._buffer = buffer
        self._count = len(buffer) // ROW

    def __len__(self) -> int:
        return self._count

    def place(self, key: bytes) -> int:
        """How many rows have a lower key."""
        low, high = 0, self._count
        while low < high:
            middle = (low + high) // 2
            if bytes(self._buffer[middle * ROW : middle * ROW + KEY]) < key:
                low = middle + 1
            else:
                high = middle
        return low

    def state_of(self, key: bytes) -> int | None:
        """NO_STATE where the row tells none; None for a key that is not here."""
        row = self.row(self.place(key))
        return row[KEY] if row[:KEY] == key else None

    def row(self, at: int) -> bytes:
        """Empty behind the last one."""
        return bytes(self._buffer[at * ROW : (at + 1) * ROW])

    def _between(self, first: int, end: int) -> Iterator[bytes]:
        return _pieces(self._buffer, first * ROW, end * ROW)

    def changed(self, removed: Buffer, added: Buffer) -> Iterator[bytes]:
        """The pieces of the rows without the keys `removed` and with the rows `added`.

        Both ascend; a row whose state changes is in both.  Raises ValueError for a key to remove
        that is not here, one to add that is, and for a wrong order.  Of a whole list, which adds
        to nothing, the digest alone is the check.
        """
        if not self._count and not removed:
            yield from _pieces(added, 0, len(added))
            return
        done = 0
        for key, row in _steps(removed, added):
            at = self.place(key)
            is_here = self.row(at)[:KEY] == key
            if row is None and not is_here:
                raise ValueError("a card to remove is not on the list")
            if row is not None and is_here and at >= done:
                raise ValueError("a card to add is on the list")
            yield from self._between(done, at)
            if row is None:
                done = at + 1
            else:
                done = max(at, done)
                yield row
        yield from self._between(done, self._count)


def _steps(removed: Buffer, added: Buffer) -> Iterable[tuple[bytes, bytes | None]]:
    """(key, None) to remove and (key, row) to add, ascending; removal before addition."""
    gone = _cut(removed, KEY)
    new = _cut(added, ROW)
    steps: list[tuple[bytes, bytes | None]] = [(key, None) for key in gone]
    steps += [(row[:KEY], row) for row in new]
    for keys in (gone, [row[:KEY] for row in new]):
        if any(a >= b for a, b in pairwise(keys)):
            raise ValueError("the changes of a stop list do not ascend")
    return sorted(steps, key=lambda step: (step[0], step[1] is not None))


def _pieces(buffer: Buffer, first: int, end: int) -> Iterator[bytes]:
    for at in range(first, end, _PIECE):
        yield bytes(buffer[at : min(at + _PIECE, end)])


def _cut(buffer: Buffer, size: int) -> list[bytes]:
    return [bytes(buffer[at : at + size]) for at in range(0, len(buffer), size)]


def difference(old: bytes, new: bytes) -> tuple[bytes, bytes]:
    """(keys to remove, rows to add) that make `new` of `old`."""
    before, after = set(_cut(old, ROW)), set(_cut(new, ROW))
    removed = sorted(row[:KEY] for row in before - after)
    return b"".join(removed), b"".join(sorted(after - before))
