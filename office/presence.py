"""Proofs of presence (docs/records.md): a request is made, answered once, in time, or refused."""

from __future__ import annotations

import datetime
import os
from typing import Any, NamedTuple

from firmware.journal.kinds import PROFILE_PRODUCTION
from firmware.journal.presence import (
    Presence,
    PresenceError,
    claimed_presence,
    is_request_no,
    verify_presence,
)
from firmware.journal.record import digest_of
from office.errors import OfficeError
from office.folder import Folder
from office.keys import keys_of

NONCE_LENGTH = 16
WINDOW_S = 600
"""As long may lie between a request and its proof: a holder finds the card and enters the PIN."""


class Request(NamedTuple):
    """statement: the proof that answered it, None while it is open."""

    request_no: str
    nonce: bytes
    made_ms: int
    statement: bytes | None


def make_request(office: Folder, request_no: str, now_ms: int) -> Request:
    """Keep a request with a fresh nonce.  Raises OfficeError 912."""
    if not is_request_no(request_no):
        raise OfficeError(912, "a request number has 1 to 64 printable characters")
    made = Request(request_no, os.urandom(NONCE_LENGTH), now_ms, None)
    with office.store.transaction():
        if _request(office, request_no) is not None:
            raise OfficeError(912, f"{request_no} has been used")
        office.store.write("INSERT INTO presence_requests VALUES (?, ?, ?, ?)", *made)
    return made


def verify(office: Folder, raw: bytes, now_ms: int, window_s: int = WINDOW_S) -> Presence:
    """The proof, which answers its request from now on.  Raises OfficeError 913, 914, 915."""
    try:
        claim = claimed_presence(raw)
        _verify_signature(office, raw, claim.unit)
    except PresenceError as error:
        raise OfficeError(913, f"{error}, SHA-256 {digest_of(raw).hex()[:16]}") from None
    with office.store.transaction():
        asked = _request(office, claim.request_no)
        if asked is None or asked.nonce != claim.nonce:
            raise OfficeError(913, f"it answers no request of this office: {claim.request_no}")
        if asked.statement is not None:
            raise OfficeError(914, claim.request_no)
        if not 0 <= now_ms - asked.made_ms <= window_s * 1000:
            raise OfficeError(915, f"{claim.request_no}, {(now_ms - asked.made_ms) // 1000} s")
        office.store.write(
            "UPDATE presence_requests SET statement = ? WHERE request_no = ?",
            *(raw, claim.request_no),
        )
    return claim


def statement_bytes(content: bytes) -> bytes:
    """Of a file that holds the proof as bytes, or as hex."""
    try:
        return bytes.fromhex(content.decode("ascii"))
    except ValueError:
        return content


def told(proof: Presence) -> dict[str, Any]:
    """JSON-able."""
    when = datetime.datetime.fromtimestamp(proof.time_ms // 1000, datetime.UTC)
    return {
        "request_no": proof.request_no,
        "unit": proof.unit,
        "card_id": proof.card_id.hex(),
        "card_number": proof.card_number,
        "time": when.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "trust": proof.trust,
        "profile": "production" if proof.profile == PROFILE_PRODUCTION else "development",
    }


def _verify_signature(office: Folder, raw: bytes, unit: str) -> None:
    """By the key the unit has now: one that was changed proves nothing.  Raises PresenceError."""
    refusal = PresenceError(f"{unit!r:.80} is not enrolled")
    for key in (each for each in keys_of(office.store, unit) if each.last is None):
        try:
            verify_presence(raw, key.public_key)
        except PresenceError as error:
            refusal = error
        else:
            return
    raise refusal


def _request(office: Folder, request_no: str) -> Request | None:
    row = office.store.row("SELECT * FROM presence_requests WHERE request_no = ?", request_no)
    return None if row is None else Request(*row)
