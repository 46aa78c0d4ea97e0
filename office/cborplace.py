"""Reads CBOR and says where it stops being canonical: the first wrong item in reading order.

Canonical is what firmware/journal/cose.py writes and accepts; here every item keeps its place.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

UINT, NEGATIVE, BYTES, TEXT, ARRAY, MAP, TAG, OTHER = range(8)  # RFC 8949 3.1, major types
MAX_LEVEL = 8  # of the outermost item: 0
_SIMPLE = {0xF4: False, 0xF5: True, 0xF6: None}
_SIZES = {24: 1, 25: 2, 26: 4, 27: 8}
_SMALLEST = {24: 24, 25: 1 << 8, 26: 1 << 16, 27: 1 << 32}  # below it a shorter form exists
_KEYS = (UINT, NEGATIVE, TEXT)


class Offence(Exception):
    """place: the offset of what is wrong."""

    def __init__(self, place: int):
        super().__init__(place)
        self.place = place


@dataclass(slots=True)
class Item:
    """One data item.  start: of its head; content: behind it; end: behind the whole item.
    items: of an array its elements, of a map key, value, key, value, ..."""

    start: int
    content: int
    end: int
    major: int
    value: Any = None
    items: list[Item] = field(default_factory=list)

    def pairs(self) -> Iterator[tuple[Item, Item]]:
        """(key, value) of a map."""
        return zip(self.items[::2], self.items[1::2], strict=True)

    def get(self, key: int | str) -> Item | None:
        """The value of a map's key."""
        return next((value for each, value in self.pairs() if each.value == key), None)


def read(data: bytes, start: int, end: int, *, body: int | None = None) -> Item:
    """The one item in data[start:end]; raises Offence.

    body: the key of the outermost map inside whose value null, true and false are allowed.
    """
    item = _Reader(data, end, body).item(start, 0, False)
    if item.end < end:
        raise Offence(item.end)
    return item


class _Reader:
    def __init__(self, data: bytes, end: int, body: int | None):
        self._data = data
        self._end = end
        self._body = body

    def item(self, at: int, level: int, is_body: bool, is_key: bool = False) -> Item:
        if at >= self._end:
            raise Offence(self._end)
        head = self._data[at]
        major, info = head >> 5, head & 0x1F
        if level > MAX_LEVEL or (is_key and major not in _KEYS):
            raise Offence(at)
        if major == OTHER and is_body and head in _SIMPLE:
            return Item(at, at + 1, at + 1, OTHER, _SIMPLE[head])
        if major in (TAG, OTHER) or info > 27:
            raise Offence(at)
        argument, content = self._argument(at, info)
        if major in (UINT, NEGATIVE):
            return Item(at, content, content, major, argument if major == UINT else -1 - argument)
        if major in (BYTES, TEXT):
            return self._string(at, content, major, argument)
        item = Item(at, content, content, major)
        if major == ARRAY:
            for _ in range(argument):
                item.items.append(self.item(item.end, level + 1, is_body))
                item.end = item.items[-1].end
        else:
            self._map(item, argument, level, is_body)
        return item

    def _argument(self, at: int, info: int) -> tuple[int, int]:
        """The head's argument, and the offset behind the head."""
        if info < 24:
            return info, at + 1
        content = at + 1 + _SIZES[info]
        if content > self._end:
            raise Offence(self._end)
        argument = int.from_bytes(self._data[at + 1 : content], "big")
        if argument < _SMALLEST[info]:
            raise Offence(at)
        return argument, content

    def _string(self, at: int, content: int, major: int, length: int) -> Item:
        end = content + length
        if end > self._end:
            raise Offence(self._end)
        value: bytes | str = bytes(self._data[content:end])
        if major == TEXT:
            try:
                value = value.decode()  # type: ignore[union-attr]
            except UnicodeDecodeError:
                raise Offence(at) from None
        return Item(at, content, end, major, value)

    def _map(self, item: Item, pairs: int, level: int, is_body: bool) -> None:
        before = b""
        for _ in range(pairs):
            key = self.item(item.end, level + 1, is_body, is_key=True)
            encoded = self._data[key.start : key.end]
            if encoded <= before:
                raise Offence(key.start)
            before = encoded
            is_inner = is_body or (level == 0 and key.major == UINT and key.value == self._body)
            value = self.item(key.end, level + 1, is_inner)
            item.items += (key, value)
            item.end = value.end
