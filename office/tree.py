"""The office's tree (RFC 9162 2.1): one leaf a batch, only ever appended to.

What is kept are the hashes of complete subtrees: (level, index) covers the leaves
index * 2**level up to (index + 1) * 2**level.  Every root and proof of every size is made of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from firmware.journal import merkle


class Hashes(Protocol):
    """Where the hashes of complete subtrees are kept: a table of the store, or a dict in a test."""

    def get(self, level: int, index: int) -> bytes: ...

    def put(self, level: int, index: int, value: bytes) -> None: ...


class Tree:
    """size: the leaves it has.  An append writes 1 hash and what it completes: two on average."""

    def __init__(self, hashes: Hashes, size: int):
        self._hashes = hashes
        self.size = size

    def append(self, leaf_hash: bytes) -> int:
        """One more leaf; its index."""
        index = self.size
        level, place, value = 0, index, leaf_hash
        self._hashes.put(level, place, value)
        while place & 1:
            value = merkle.node(self._hashes.get(level, place - 1), value)
            level, place = level + 1, place >> 1
            self._hashes.put(level, place, value)
        self.size += 1
        return index

    def root(self, size: int | None = None) -> bytes:
        """The root, or the one it had at that size."""
        return self._of(0, self._known(size))

    def inclusion(self, index: int, size: int | None = None) -> list[bytes]:
        """The path of leaf `index` in the tree of that size (2.1.3.1)."""
        end, start = self._known(size), 0
        if not 0 <= index < end:
            raise IndexError(f"leaf {index} of {end}")
        path: list[bytes] = []
        while end - start > 1:
            middle = start + merkle.split(end - start)
            if index < middle:
                path.append(self._of(middle, end))
                end = middle
            else:
                path.append(self._of(start, middle))
                start = middle
        return path[::-1]

    def consistency(self, first: int, size: int | None = None) -> list[bytes]:
        """The proof that the tree of that size begins with the one of size `first` (2.1.4.1)."""
        end, start = self._known(size), 0
        if not 0 < first <= end:
            raise IndexError(f"a tree of {first} leaves inside one of {end}")
        path: list[bytes] = []
        while first != end:
            middle = start + merkle.split(end - start)
            if first <= middle:
                path.append(self._of(middle, end))
                end = middle
            else:
                path.append(self._of(start, middle))
                start = middle
        if start:
            path.append(self._of(start, end))
        return path[::-1]

    def _known(self, size: int | None) -> int:
        if size is None:
            return self.size
        if not 0 <= size <= self.size:
            raise IndexError(f"a tree of {size} leaves inside one of {self.size}")
        return size

    def _of(self, start: int, end: int) -> bytes:
        """The hash over the leaves start..end; start is a multiple of the largest part's size."""
        parts = [self._hashes.get(*each) for each in _complete(start, end)]
        if not parts:
            return merkle.EMPTY
        found = parts.pop()
        while parts:
            found = merkle.node(parts.pop(), found)
        return found


def _complete(start: int, end: int) -> Iterator[tuple[int, int]]:
    """(level, index) of the complete subtrees that make up start..end, the largest first."""
    while start < end:
        level = (end - start).bit_length() - 1
        yield level, start >> level
        start += 1 << level
