"""Signed files from the office, such as the stop list.

A file is one message; data may follow it whose SHA-256 the message tells, so that a large list is
never decoded and need not be in memory to be verified.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from firmware.journal import cose
from firmware.journal.cose import CoseError, Signer
from firmware.journal.record import digest_of

CONTENT_TYPE = "application/ssc-signed-file+cbor"
STOPLIST = "stoplist"
OPERATORS = "operators"
OFFICEKEY = "officekey"
PARAMETERS = "parameters"
UNITSTOP = "unitstop"
UPDATE = "update"

PARAMETER_NAMES = (
    "limits.transaction_fen",
    "limits.day_fen",
    "limits.card_day_fen",
    "purchase.offline_total_fen",
    "purchase.offline_count",
    "stop_list.max_age_h",
    "stop_list.aged_transaction_fen",
    "uplink.seal_after_s",
    "uplink.batch_records",
)
"""Keys of board.toml that a `parameters` file may set; whole numbers all of them."""

MAX_FILE = 16 << 20  # bytes, data included

PAYLOAD = {1: "what", 2: "number", 3: "issued", 4: "body"}


class SignedFileError(ValueError):
    """No file that our office signed."""


@dataclass(frozen=True, slots=True)
class SignedFile:
    """what: its name.  number: grows with every issue.  digest: SHA-256 of raw."""

    what: str
    number: int
    issued_ms: int
    body: Any
    raw: bytes

    @property
    def digest(self) -> bytes:
        return digest_of(self.raw)


def make_signed_file(
    *, what: str, number: int, issued_ms: int, body: object, signer: Signer
) -> bytes:
    """The office's side; raises CoseError for a body that cannot be encoded."""
    payload = dict(enumerate((what, number, issued_ms, body), 1))
    return cose.sign1(cose.encode(payload), signer, CONTENT_TYPE)


def signed_file(raw: bytes, office_public_key: bytes) -> SignedFile:
    """The verified file; the body's own shape is its reader's affair.  Raises SignedFileError.

    Whether its number goes backwards is asked of the journal: `Journal.applied`.
    """
    try:
        payload = cose.decode(cose.verify1(raw, office_public_key, CONTENT_TYPE))
    except CoseError as error:
        raise SignedFileError(str(error)) from None
    return _file(payload, raw)


def claimed_file(raw: bytes) -> SignedFile:
    """What a message says before anybody checked its signature; raises SignedFileError."""
    try:
        payload = cose.decode(cose.peek1(raw).payload)
    except CoseError as error:
        raise SignedFileError(str(error)) from None
    return _file(payload, raw)


def _file(payload: Any, raw: bytes) -> SignedFile:
    match payload:
        case {1: str() as what, 2: int() as number, 3: int() as issued_ms, 4: body}:
            return SignedFile(what, number, issued_ms, body, raw)
    raise SignedFileError("the file lacks a key or holds another type")


def split(raw: bytes) -> tuple[bytes, memoryview]:
    """(the message, the data behind it); what has no message's shape is all message."""
    try:
        end = cose.length1(raw)
    except CoseError:
        return raw, memoryview(b"")
    return raw[:end], memoryview(raw)[end:]
