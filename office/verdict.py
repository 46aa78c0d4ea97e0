"""A verdict on a batch file, and how a check says that something is wrong and where."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from firmware.journal import cose
from firmware.journal.cose import CoseError
from office.cborplace import ARRAY, Item, Offence

FILE, PACKED = "file", "packed"
"""Spaces: offsets in the file, and in the packed records after decompression."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """why: the class, None when sound.  space: "file" or "packed".  offset: in that space.
    record: the number that was due where it went wrong.  records: how many the file holds."""

    why: str | None
    space: str | None
    offset: int | None
    record: int | None
    records: int

    @property
    def is_sound(self) -> bool:
        return self.why is None

    def to_json(self, name: str) -> dict[str, Any]:
        return {
            "file": name,
            "ok": self.is_sound,
            "class": self.why,
            "space": self.space,
            "offset": self.offset,
            "record": self.record,
            "records": self.records,
        }


class Wrong(Exception):
    """why: the class.  number: of the record that was due there."""

    def __init__(self, why: str, space: str, offset: int, number: int | None = None):
        super().__init__(why)
        self.why, self.space, self.offset, self.record = why, space, offset, number


@contextmanager
def wrong(why: str, space: str) -> Iterator[None]:
    """Offences inside are of that class."""
    try:
        yield
    except Offence as offence:
        raise Wrong(why, space, offence.place) from None


def parts(item: Item, count: int) -> list[Item]:
    """The elements of an array of so many; raises Offence."""
    if item.major != ARRAY or len(item.items) != count:
        raise Offence(item.start)
    return item.items


def is_signed(
    algorithm: int, key: bytes, signature: bytes, protected: bytes, payload: bytes
) -> bool:
    """Whether it is the key's signature over that COSE_Sign1."""
    try:
        cose.check_signature(algorithm, key, signature, cose.to_be_signed(protected, payload))
    except CoseError:
        return False
    return True
