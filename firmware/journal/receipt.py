"""The office's receipt for one batch: only a verified one marks records as received."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from firmware.journal import cose, spool
from firmware.journal.cose import CoseError, Signer
from firmware.journal.lifecycle import BATCH_RECEIPTED, BATCH_SEALED, EVENT_RECEIPT, next_transport
from firmware.journal.record import digest_of

if TYPE_CHECKING:
    from firmware.journal.store import Journal

CONTENT_TYPE = "application/ssc-receipt+cbor"
MAX_RECEIPT = 4096  # bytes

PAYLOAD = {1: "unit", 2: "batch", 3: "digest", 4: "time", 5: "office"}


class ReceiptError(ValueError):
    """No receipt of our office for a batch of this unit."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """digest: SHA-256 of the batch's header.  time_ms: the office's clock as it signed."""

    unit: str
    batch: int
    digest: bytes
    time_ms: int
    office: str
    raw: bytes


def make_receipt(
    *, unit: str, batch: int, digest: bytes, time_ms: int, office: str, signer: Signer
) -> bytes:
    """What the office answers once it has stored the batch."""
    payload = dict(enumerate((unit, batch, digest, time_ms, office), 1))
    return cose.sign1(cose.encode(payload), signer, CONTENT_TYPE)


def parse_receipt(raw: bytes, office_public_key: bytes) -> Receipt:
    """The verified receipt; raises ReceiptError."""
    if len(raw) > MAX_RECEIPT:
        raise ReceiptError(f"{len(raw)} bytes; a receipt has at most {MAX_RECEIPT}")
    try:
        payload = cose.decode(cose.verify1(raw, office_public_key, CONTENT_TYPE))
    except CoseError as error:
        raise ReceiptError(str(error)) from None
    match payload:
        case {
            1: str() as unit,
            2: int() as batch,
            3: bytes() as digest,
            4: int() as time_ms,
            5: str() as office,
        } if len(digest) == 32:
            return Receipt(unit, batch, digest, time_ms, office, raw)
    raise ReceiptError("the receipt lacks a key or holds another type")


def accept_receipt(journal: Journal, raw: bytes, office_public_key: bytes) -> Receipt:
    """Mark the batch RECEIPTED, keep the receipt, take the batch out of out/.

    The same receipt may come twice.  Raises ReceiptError (nothing is changed) and JournalError.
    """
    receipt = parse_receipt(raw, office_public_key)
    if receipt.unit != journal.unit:
        raise ReceiptError(f"the receipt is for unit {receipt.unit}")
    row = journal.row("SELECT header, receipt FROM batches WHERE batch = ?", receipt.batch)
    if row is None:
        raise ReceiptError(f"batch {receipt.batch} was never sealed here")
    header, earlier = row
    if receipt.digest != digest_of(header):
        raise ReceiptError(f"the receipt is for other contents of batch {receipt.batch}")
    next_transport(BATCH_SEALED if earlier is None else BATCH_RECEIPTED, EVENT_RECEIPT)
    if earlier is None:
        journal.write("UPDATE batches SET receipt = ? WHERE batch = ?", raw, receipt.batch)
    spool.remove(spool.batch_path(journal.data_dir, receipt.batch))
    return receipt
