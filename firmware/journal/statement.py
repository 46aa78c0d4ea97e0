"""The signed statement of a batch: which records it holds, and the root of their Merkle tree."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from firmware.journal import cose
from firmware.journal.cose import CoseError, Signer, key_id
from firmware.journal.record import digest_of

CONTENT_TYPE = "application/ssc-batch+cbor"
MAX_COVERED = 1 << 20  # numbers one batch may cover, damaged ranges included

STATEMENT = {
    1: "unit",
    2: "batch",
    3: "first",
    4: "last",
    5: "root",
    6: "previous",
    7: "time",
    8: "damaged",
}


class BatchError(ValueError):
    """Bytes that are no sound batch of that unit."""


@dataclass(frozen=True, slots=True)
class Statement:
    """first, last: record numbers covered.  root: of the Merkle tree over the records' bytes.
    previous: digest of the statement of the batch before.  raw: the COSE_Sign1."""

    unit: str
    batch: int
    first: int
    last: int
    root: bytes
    previous: bytes
    time_ms: int
    damaged: tuple[tuple[int, int], ...]
    raw: bytes

    @property
    def digest(self) -> bytes:
        """SHA-256 of the statement's bytes: what the next batch names."""
        return digest_of(self.raw)

    def numbers(self) -> Iterator[int]:
        """The numbers of the records that are in the batch."""
        at = self.first
        for start, end in (*self.damaged, (self.last + 1, self.last + 1)):
            yield from range(at, start)
            at = max(at, end + 1)


def sign_statement(signer: Signer, **fields: object) -> Statement:
    """A new statement; fields: those of STATEMENT, by name."""
    payload = cose.encode({key: fields[name] for key, name in STATEMENT.items()})
    return read_statement(cose.sign1(payload, signer, CONTENT_TYPE), signer.public_key)


def read_statement(raw: bytes, *keys: bytes) -> Statement:
    """The verified statement; raises BatchError."""
    try:
        by_id = {key_id(key): key for key in keys}
        public_key = by_id.get(cose.peek1(raw).key_id, keys[0])
        return _statement(cose.verify1(raw, public_key, CONTENT_TYPE), raw)
    except CoseError as error:
        raise BatchError(f"statement: {error}") from None


def claimed_statement(raw: bytes) -> tuple[Statement, bytes]:
    """What a statement says, and the key it names, unverified; raises BatchError."""
    try:
        claimed = cose.peek1(raw)
        if claimed.content_type != CONTENT_TYPE:
            raise BatchError(f"statement: not of type {CONTENT_TYPE}")
        return _statement(claimed.payload, raw), claimed.key_id
    except CoseError as error:
        raise BatchError(f"statement: {error}") from None


def _statement(encoded: bytes, raw: bytes) -> Statement:
    payload = cose.decode(encoded)
    if not _is_statement(payload):
        raise BatchError("the statement lacks a key or holds another type")
    unit, batch, first, last, root, previous, time_ms, ranges = (payload[key] for key in STATEMENT)
    damaged = tuple((start, end) for start, end in ranges)
    bounds = [first - 1, *(n for pair in damaged for n in pair), last]
    if batch < 1 or not 1 <= first <= last < first + MAX_COVERED or not _ascend(bounds):
        raise BatchError("the statement's numbers are impossible")
    return Statement(unit, batch, first, last, root, previous, time_ms, damaged, raw)


def _ascend(bounds: list[int]) -> bool:
    """first - 1 < start <= end < start <= end < ... < last: a damaged range is never the end."""
    gaps = list(pairwise(bounds))
    return all(one < two for one, two in gaps[::2]) and all(one <= two for one, two in gaps[1::2])


def _is_statement(payload: Any) -> bool:
    """Every key is there with its type; a later release may add keys."""
    match payload:
        case {
            1: str(),
            2: batch,
            3: first,
            4: last,
            5: bytes() as root,
            6: bytes() as previous,
            7: time_ms,
            8: [*ranges],
        }:
            numbers = all(map(_is_uint, (batch, first, last, time_ms)))
            return numbers and len(root) == len(previous) == 32 and all(map(_is_range, ranges))
    return False


def _is_uint(value: object) -> bool:
    return type(value) is int and value >= 0


def _is_range(value: Any) -> bool:
    match value:
        case [first, last]:
            return _is_uint(first) and _is_uint(last)
    return False
