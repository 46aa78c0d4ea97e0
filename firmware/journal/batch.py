"""A sealed batch: consecutive records under one signed header, in the terminal and in the office.

File: canonical CBOR `[header, [record, ...]]`, all byte strings as they were signed.  The terminal
keeps the header and builds the same file again from the records until its receipt came.
A batch never ends inside a damaged range; records of the ranges it declares are absent.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from firmware.journal import cose, record, scrub, spool
from firmware.journal.cose import CoseError, key_id
from firmware.journal.lifecycle import EVENT_SEAL, next_transport
from firmware.journal.record import NO_PREVIOUS, Record, RecordError, digest_of

if TYPE_CHECKING:
    from firmware.journal.store import Journal

log = logging.getLogger(__name__)

CONTENT_TYPE = "application/ssc-batch+cbor"
MAX_RECORDS = 1000
MAX_BATCH = cose.MAX_MESSAGE  # bytes: more than MAX_RECORDS records and their header can have

HEADER = {
    1: "unit",
    2: "batch",
    3: "first",
    4: "last",
    5: "head",
    6: "previous",
    7: "time",
    8: "damaged",
}


class BatchError(ValueError):
    """Bytes that are no sound batch of that unit."""


@dataclass(frozen=True, slots=True)
class Header:
    """first, last: record numbers covered.  head: digest of record `last`.
    previous: digest of the header of the batch before.  raw: the COSE_Sign1."""

    unit: str
    batch: int
    first: int
    last: int
    head: bytes
    previous: bytes
    time_ms: int
    damaged: tuple[tuple[int, int], ...]
    raw: bytes

    @property
    def digest(self) -> bytes:
        """SHA-256 of the header's bytes: what a receipt names."""
        return digest_of(self.raw)

    def numbers(self) -> Iterator[int]:
        """The numbers of the records that are in the batch."""
        at = self.first
        for start, end in (*self.damaged, (self.last + 1, self.last + 1)):
            yield from range(at, start)
            at = max(at, end + 1)


@dataclass(frozen=True, slots=True)
class Batch:
    """A header and the whole file's bytes."""

    header: Header
    raw: bytes

    @property
    def number(self) -> int:
        return self.header.batch


@dataclass(frozen=True, slots=True)
class BatchContents:
    """A verified batch: its header and its records, oldest first."""

    header: Header
    records: tuple[Record, ...]


# --- the terminal's side ---


def seal(journal: Journal, max_records: int = MAX_RECORDS) -> Batch | None:
    """Seal the next records, verified once more; None when there are none.

    The batch is committed before this returns; `put_out` hands it to the uplink.
    Raises JournalError.
    """
    journal.flush()
    before = journal.row("SELECT batch, last, header FROM batches ORDER BY batch DESC LIMIT 1")
    number, end, header = before or (0, 0, None)
    first = end + 1
    if first > journal.head()[0]:
        return None
    next_transport(None, EVENT_SEAL)
    last = _sound_end(journal, first, min(max_records, MAX_RECORDS))
    raws = _raws(journal, first, last)
    sealed = _sign(
        journal,
        batch=max(number, journal.counter("batch_floor")) + 1,
        first=first,
        last=last,
        head=digest_of(raws[last]),
        previous=NO_PREVIOUS if header is None else digest_of(header),
        damaged=_within(first, last, journal.damaged_ranges()),
    )
    journal.write(
        "INSERT INTO batches VALUES (?, ?, ?, ?, NULL)", sealed.batch, first, last, sealed.raw
    )
    return Batch(sealed, _file(sealed, raws))


def _sound_end(journal: Journal, first: int, max_records: int) -> int:
    """Where a batch from `first` ends, all before it verified: never in a damaged range.

    The DAMAGE record comes after the range it names, so there always is such a number.
    """
    checked, last = first - 1, min(journal.head()[0], first + max_records - 1)
    while checked < last:
        scrub.check(journal, checked + 1, last)
        checked = last
        for start, end in journal.damaged_ranges():
            if start <= last <= end:
                last = end + 1
    return last


def _within(first: int, last: int, damaged: list[tuple[int, int]]) -> list[list[int]]:
    """The ranges cut to first..last, joined where they touch."""
    joined: list[list[int]] = []
    for start, end in damaged:
        start, end = max(start, first), min(end, last)
        if start > end:
            continue
        if joined and start <= joined[-1][1] + 1:
            joined[-1][1] = max(joined[-1][1], end)
        else:
            joined.append([start, end])
    return joined


def _sign(
    journal: Journal,
    *,
    batch: int,
    first: int,
    last: int,
    head: bytes,
    previous: bytes,
    damaged: list[list[int]],
) -> Header:
    now_ms = journal.clock.now().epoch_ms
    fields = (journal.unit, batch, first, last, head, previous, now_ms, damaged)
    payload = cose.encode(dict(enumerate(fields, 1)))
    return read_header(cose.sign1(payload, journal.signer, CONTENT_TYPE), journal.signer.public_key)


def _raws(journal: Journal, first: int, last: int) -> dict[int, bytes]:
    return dict(
        journal.rows("SELECT number, raw FROM records WHERE number BETWEEN ? AND ?", first, last)
    )


def _file(header: Header, raws: dict[int, bytes]) -> bytes:
    """Raises BatchError when a record is gone."""
    try:
        return cose.encode([header.raw, [raws[number] for number in header.numbers()]])
    except KeyError as error:
        raise BatchError(f"record {error} is gone") from None


def put_out(journal: Journal, *, check: bool = False) -> list[int]:
    """Write every SEALED batch that is not in out/; the numbers written.  Raises OSError.

    check: compare those that are there, too, and write a spoilt one again; for a start.
    A batch whose records were damaged since cannot be built again and is left out: the office
    sees the gap, and the DAMAGE record says why.
    """
    written = []
    rows = journal.rows(
        "SELECT batch, first, last, header FROM batches WHERE receipt IS NULL ORDER BY batch"
    )
    for number, first, last, raw in rows:
        path = spool.batch_path(journal.data_dir, number)
        if path.exists() and not check:
            continue
        try:
            header = read_header(raw, *journal.public_keys)
            contents = _file(header, _raws(journal, first, last))
            if path.exists() and path.read_bytes() == contents:
                continue
            parse_batch(contents, *journal.public_keys)
        except BatchError as error:
            log.warning("batch %d cannot be built again: %s", number, error)
            continue
        spool.write_atomic(path, contents)
        written.append(number)
    return written


# --- both sides ---


def parse_batch(raw: bytes, public_key: bytes, *other_keys: bytes) -> BatchContents:
    """The batch of these bytes, signatures, chain, head and declared damage verified.

    other_keys: further device keys this unit has had, for records from before a new key.
    Raises BatchError.
    """
    try:
        parts = cose.decode(raw, MAX_BATCH)
    except CoseError as error:
        raise BatchError(str(error)) from None
    match parts:
        case [bytes() as header_raw, [*raws]] if all(type(each) is bytes for each in raws):
            pass
        case _:
            raise BatchError("not a header and its records")
    keys = (public_key, *other_keys)
    header = read_header(header_raw, *keys)
    if len(raws) > header.last - header.first + 1:
        raise BatchError("more records than the header covers")
    records = _records(header, raws, {key_id(key): key for key in keys})
    return BatchContents(header, records)


def _records(header: Header, raws: list[bytes], keys: dict[bytes, bytes]) -> tuple[Record, ...]:
    try:
        records = tuple(record.read(raw, keys) for raw in raws)
    except RecordError as error:
        raise BatchError(f"in batch {header.batch}: {error}") from None
    if [each.number for each in records] != list(header.numbers()):
        raise BatchError(f"batch {header.batch} does not hold the records it covers")
    if any(each.unit != header.unit for each in records):
        raise BatchError(f"batch {header.batch} holds a record of another unit")
    for one, two in pairwise(records):
        if two.number == one.number + 1 and two.previous != one.digest:
            raise BatchError(f"record {two.number} does not follow record {one.number}")
    if not records or records[-1].number != header.last or records[-1].digest != header.head:
        raise BatchError(f"the head of batch {header.batch} is not its last record")
    return records


def read_header(raw: bytes, *keys: bytes) -> Header:
    """The verified header; raises BatchError."""
    try:
        by_id = {key_id(key): key for key in keys}
        public_key = by_id.get(cose.peek1(raw).key_id, keys[0])
        payload = cose.decode(cose.verify1(raw, public_key, CONTENT_TYPE))
    except CoseError as error:
        raise BatchError(f"header: {error}") from None
    if not _is_header(payload):
        raise BatchError("the header lacks a key or holds another type")
    unit, batch, first, last, head, previous, time_ms, ranges = (payload[key] for key in HEADER)
    damaged = tuple((start, end) for start, end in ranges)
    bounds = [first - 1, *(n for pair in damaged for n in pair), last]
    if batch < 1 or not 1 <= first <= last < first + _MAX_COVERED or not _ascend(bounds):
        raise BatchError("the header's numbers are impossible")
    return Header(unit, batch, first, last, head, previous, time_ms, damaged, raw)


_MAX_COVERED = 1 << 20  # numbers one batch may cover, damaged ranges included


def _ascend(bounds: list[int]) -> bool:
    """first - 1 < start <= end < start <= end < ... < last: a damaged range is never the end."""
    gaps = list(pairwise(bounds))
    return all(one < two for one, two in gaps[::2]) and all(one <= two for one, two in gaps[1::2])


def _is_header(payload: Any) -> bool:
    """Every key is there with its type; a later release may add keys."""
    match payload:
        case {
            1: str(),
            2: int(),
            3: int(),
            4: int(),
            5: bytes() as head,
            6: bytes() as previous,
            7: int(),
            8: [*ranges],
        }:
            return len(head) == len(previous) == 32 and all(map(_is_range, ranges))
    return False


def _is_range(value: Any) -> bool:
    match value:
        case [int(), int()]:
            return True
    return False
