"""A sealed batch: consecutive records under one signed statement, at the terminal and the office.

File: canonical CBOR `[1, statement, codec, packed]` (docs/records.md, Batch; packing.py).  The
terminal keeps the statement and builds the same file again from the records until its receipt came.
A batch never ends inside a damaged range; records of the ranges it declares are absent.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from firmware.journal import cose, merkle, packing, record, scrub, spool
from firmware.journal.cose import CoseError, key_id
from firmware.journal.lifecycle import EVENT_SEAL, next_transport
from firmware.journal.packing import PackingError
from firmware.journal.record import NO_PREVIOUS, Record, RecordError, digest_of
from firmware.journal.statement import (
    BatchError,
    Statement,
    claimed_statement,
    read_statement,
    sign_statement,
)

if TYPE_CHECKING:
    from firmware.journal.store import Journal

log = logging.getLogger(__name__)

MAX_RECORDS = 1000
FORM = 1
MAX_BATCH = packing.MAX_UNPACKED + 64 * 1024  # bytes: more than a batch file can have


@dataclass(frozen=True, slots=True)
class Batch:
    """A statement and the whole file's bytes."""

    statement: Statement
    raw: bytes

    @property
    def number(self) -> int:
        return self.statement.batch


@dataclass(frozen=True, slots=True)
class BatchContents:
    """A verified batch: its statement and its records, oldest first."""

    statement: Statement
    records: tuple[Record, ...]


# --- the terminal's side ---


def seal(journal: Journal, max_records: int = MAX_RECORDS) -> Batch | None:
    """Seal the next records, verified once more; None when there are none.

    The batch is committed before this returns; `put_out` hands it to the uplink.
    Raises JournalError.
    """
    journal.flush()
    before = journal.row("SELECT batch, last, header FROM batches ORDER BY batch DESC LIMIT 1")
    number, end, before_raw = before or (0, 0, None)
    first = end + 1
    if first > journal.head()[0]:
        return None
    next_transport(None, EVENT_SEAL)
    last = _sound_end(journal, first, min(max_records, MAX_RECORDS))
    damaged = _within(first, last, journal.damaged_ranges())
    raws = _raws(journal, first, last)
    kept = [raws[n] for n in sorted(raws) if not any(a <= n <= b for a, b in damaged)]
    sealed = sign_statement(
        journal.signer,
        unit=journal.unit,
        batch=max(number, journal.counter("batch_floor")) + 1,
        first=first,
        last=last,
        root=merkle.root(list(map(merkle.leaf, kept))),
        previous=NO_PREVIOUS if before_raw is None else digest_of(before_raw),
        time=journal.clock.now().epoch_ms,
        damaged=damaged,
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


def _raws(journal: Journal, first: int, last: int) -> dict[int, bytes]:
    """number -> bytes; without what a damaged page answers in their place."""
    rows = journal.rows("SELECT number, raw FROM records WHERE number BETWEEN ? AND ?", first, last)
    return {number: raw for number, raw in rows if type(raw) is bytes}


def _file(statement: Statement, raws: dict[int, bytes]) -> bytes:
    """Raises BatchError when a record is gone."""
    try:
        packed = packing.pack([raws[number] for number in statement.numbers()])
    except KeyError as error:
        raise BatchError(f"record {error} is gone") from None
    except PackingError as error:
        raise BatchError(str(error)) from None
    return make_file(statement.raw, packed)


def make_file(statement_raw: bytes, packed: bytes) -> bytes:
    """The file of a statement and its packed records, the same bytes each time."""
    return cose.encode([FORM, statement_raw, *packing.compress(packed)])


def put_out(journal: Journal, *, check: bool = False, after: int = 0, limit: int = -1) -> list[int]:
    """Write every SEALED batch that is not in out/; the numbers written.  Raises OSError.

    check: compare those that are there, too, and write a spoilt one again; for a start.
    after, limit: only the next so many above that number, for a check that keeps nobody waiting.
    A batch whose records were damaged since cannot be built again and is left out: the office
    sees the gap, and the DAMAGE record says why.
    """
    written = []
    rows = journal.rows(
        "SELECT batch, first, last, header FROM batches WHERE receipt IS NULL AND batch > ?"
        " ORDER BY batch LIMIT ?",
        after,
        limit,
    )
    for number, first, last, raw in rows:
        path = spool.batch_path(journal.data_dir, number)
        if path.exists() and not check:
            continue
        try:
            statement = read_statement(raw, *journal.public_keys)
            contents = _file(statement, _raws(journal, first, last))
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


class Parts(NamedTuple):
    """A batch file taken apart and nothing verified but its form: the statement's bytes, and the
    records' exact bytes with their digests, oldest first."""

    statement: bytes
    raws: list[bytes]
    digests: list[bytes]


class Sealed(NamedTuple):
    """A batch file of which only the form and the statement were read; nothing verified."""

    statement: Statement
    codec: int
    packed: bytes


def open_file(raw: bytes) -> Sealed:
    """What the file says it is, its records still packed; raises BatchError."""
    statement, codec, packed = _layers(raw)
    return Sealed(claimed_statement(statement)[0], codec, packed)


def records_of(sealed: Sealed) -> packing.Unpacked:
    """What the office takes in at once: records that are those of the statement's root, no
    signature verified.  Raises BatchError."""
    try:
        found = packing.unpack(packing.decompress(sealed.codec, sealed.packed))
    except PackingError as error:
        raise BatchError(str(error)) from None
    if merkle.root(list(map(merkle.leaf, found.raws))) != sealed.statement.root:
        raise BatchError(f"the records are not those of batch {sealed.statement.batch}'s root")
    return found


def take_apart(raw: bytes) -> Parts:
    """Raises BatchError for bytes that are no batch file."""
    statement, codec, packed = _layers(raw)
    try:
        return Parts(statement, *packing.unpack(packing.decompress(codec, packed)))
    except PackingError as error:
        raise BatchError(str(error)) from None


def _layers(raw: bytes) -> tuple[bytes, int, bytes]:
    """The statement's bytes, the codec, the packed records."""
    if len(raw) > MAX_BATCH:
        raise BatchError(f"{len(raw)} bytes, more than {MAX_BATCH}")
    try:
        match cose.decode(raw, MAX_BATCH):
            case [1, bytes() as statement, int() as codec, bytes() as packed]:
                return statement, codec, packed
    except CoseError as error:
        raise BatchError(str(error)) from None
    raise BatchError("not a statement and its packed records")


def parse_batch(raw: bytes, public_key: bytes, *other_keys: bytes) -> BatchContents:
    """The batch of these bytes, signatures, chain, root and declared damage verified.

    other_keys: further device keys this unit has had, for records from before a new key.
    Raises BatchError.
    """
    parts = take_apart(raw)
    return verify_contents(parts.statement, parts.raws, public_key, *other_keys)


def verify_contents(
    statement_raw: bytes, raws: list[bytes], public_key: bytes, *other_keys: bytes
) -> BatchContents:
    """The same of a statement and its records.  Raises BatchError."""
    keys = (public_key, *other_keys)
    statement = read_statement(statement_raw, *keys)
    if len(raws) > statement.last - statement.first + 1:
        raise BatchError("more records than the statement covers")
    records = _records(statement, raws, {key_id(key): key for key in keys})
    return BatchContents(statement, records)


def _records(
    statement: Statement, raws: list[bytes], keys: dict[bytes, bytes]
) -> tuple[Record, ...]:
    batch = statement.batch
    try:
        records = tuple(record.read(raw, keys) for raw in raws)
    except RecordError as error:
        raise BatchError(f"in batch {batch}: {error}") from None
    if [each.number for each in records] != list(statement.numbers()):
        raise BatchError(f"batch {batch} does not hold the records it covers")
    if any(each.unit != statement.unit for each in records):
        raise BatchError(f"batch {batch} holds a record of another unit")
    for one, two in pairwise(records):
        if two.number == one.number + 1 and two.previous != one.digest:
            raise BatchError(f"record {two.number} does not follow record {one.number}")
    if merkle.root([merkle.leaf(raw) for raw in raws]) != statement.root:
        raise BatchError(f"the records are not those of batch {batch}'s root")
    return records
