"""A set of byte positions as half-open ranges."""

from __future__ import annotations

from collections.abc import Iterator

Range = tuple[int, int]


class Ranges:
    """Ascending, apart from each other, none empty."""

    def __init__(self, *parts: Range):
        self._parts: list[Range] = []
        for start, end in parts:
            self.add(start, end)

    def __bool__(self) -> bool:
        return bool(self._parts)

    def __iter__(self) -> Iterator[Range]:
        return iter(self._parts)

    @property
    def first(self) -> Range:
        """Raises IndexError when there is none."""
        return self._parts[0]

    def add(self, start: int, end: int) -> None:
        joined = [part for part in self._parts if part[1] < start or end < part[0]]
        touched = [part for part in self._parts if part not in joined]
        for low, high in touched:
            start, end = min(start, low), max(end, high)
        self._parts = sorted([*joined, (start, end)] if start < end else joined)

    def remove(self, start: int, end: int) -> None:
        kept = []
        for low, high in self._parts:
            kept += [(low, min(high, start)), (max(low, end), high)]
        self._parts = [part for part in kept if part[0] < part[1]] if start < end else self._parts

    def within(self, start: int, end: int) -> list[Range]:
        """What lies between the two."""
        cut = [(max(start, low), min(end, high)) for low, high in self._parts]
        return [part for part in cut if part[0] < part[1]]
