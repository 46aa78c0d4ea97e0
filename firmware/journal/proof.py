"""One record that proves itself: with its batch's statement, its place in it, and the receipt.

File `*.proof`: canonical CBOR `[1, record, statement, leaf index, [hash, ...], receipt | null]`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from firmware.journal import cose, merkle
from firmware.journal.cose import CoseError
from firmware.journal.receipt import MAX_RECEIPT, Receipt, ReceiptError, parse_receipt
from firmware.journal.record import MAX_RECORD, Record, RecordError, read
from firmware.journal.statement import BatchError, Statement, read_statement

FORM = 1
MAX_PROOF = MAX_RECORD + MAX_RECEIPT + (1 << 20)  # bytes; a statement may declare many ranges


class ProofError(ValueError):
    """Bytes that prove no record of that unit."""


@dataclass(frozen=True, slots=True)
class Proven:
    """What a proof proves; receipt: None when it holds none."""

    record: Record
    statement: Statement
    receipt: Receipt | None


def make_proof(
    raws: Sequence[bytes], index: int, statement_raw: bytes, receipt: bytes | None
) -> bytes:
    """The proof for the record at place `index` of a batch's records."""
    path = merkle.inclusion(list(map(merkle.leaf, raws)), index)
    return cose.encode([FORM, raws[index], statement_raw, index, path, receipt])


def verify_proof(raw: bytes, keys: Mapping[bytes, bytes], office_public_key: bytes) -> Proven:
    """Everything in it verified; keys: the unit's, by key id.  Raises ProofError."""
    try:
        match cose.decode(raw, MAX_PROOF):
            case [1, bytes() as one, bytes() as signed, int() as index, [*path], receipt]:
                pass
            case _:
                raise ProofError("not the six parts of a proof")
        record = read(one, keys)
        statement = read_statement(signed, *keys.values())
        if not all(type(each) is bytes for each in path):
            raise ProofError("its path is none")
        if not _is_place(record, statement, index):
            raise ProofError(f"record {record.number} is not at place {index} of its batch")
        found = merkle.root_from_inclusion(merkle.leaf(one), index, _count(statement), path)
        if found != statement.root:
            raise ProofError("the record is not in that batch")
        if receipt is None:
            return Proven(record, statement, None)
        if type(receipt) is not bytes:
            raise ProofError("not the six parts of a proof")
        accepted = parse_receipt(receipt, office_public_key, signed)
    except (CoseError, RecordError, BatchError, ReceiptError) as error:
        raise ProofError(str(error)) from None
    if (accepted.unit, accepted.batch) != (statement.unit, statement.batch):
        raise ProofError("the receipt is for another batch")
    return Proven(record, statement, accepted)


def _count(statement: Statement) -> int:
    """How many records the batch holds."""
    lost = sum(end - start + 1 for start, end in statement.damaged)
    return statement.last - statement.first + 1 - lost


def _is_place(record: Record, statement: Statement, index: int) -> bool:
    """Whether the record with that number and unit stands at that place."""
    number = record.number
    if record.unit != statement.unit or not statement.first <= number <= statement.last:
        return False
    lost = sum(min(end, number) - start + 1 for start, end in statement.damaged if start <= number)
    return number - statement.first - lost == index
