"""Proof of presence: this unit saw that card, genuine and with its PIN, for one request of an
office (M18).  Signed by the device key, so that whoever enrolled the unit can verify it.
"""

from __future__ import annotations

from dataclasses import dataclass

from firmware.journal import cose
from firmware.journal.cose import CoseError, Signer
from firmware.journal.kinds import PROFILE_DEVELOPMENT, PROFILE_PRODUCTION

CONTENT_TYPE = "application/ssc-presence+cbor"
MAX_PRESENCE = 1024  # bytes
MAX_REQUEST_NO = 64  # characters
MAX_TIME_MS = 253_402_300_800_000  # the year 10000
NONCE_LENGTHS = range(16, 33)

PAYLOAD = {
    1: "unit",
    2: "request_no",
    3: "nonce",
    4: "card_id",
    5: "card_number",
    6: "time",
    7: "trust",
    8: "genuine",
    9: "pin",
    10: "profile",
}


class PresenceError(ValueError):
    """No proof of presence, or one that the key did not sign."""


@dataclass(frozen=True, slots=True)
class Presence:
    """nonce: the office's, 16 to 32 bytes.  card_id: 16 bytes.  time_ms, trust: as in a record.

    A proof says nothing else than genuine (INTERNAL AUTHENTICATE) and PIN (VERIFY): both are true.
    """

    unit: str
    request_no: str
    nonce: bytes
    card_id: bytes
    card_number: str
    time_ms: int
    trust: int
    profile: int


def is_request_no(request_no: str) -> bool:
    return 1 <= len(request_no) <= MAX_REQUEST_NO and request_no.isprintable()


def make_presence(claim: Presence, signer: Signer) -> bytes:
    """The statement.  Whoever calls this has proved both the card and its holder."""
    fields = (
        claim.unit,
        claim.request_no,
        claim.nonce,
        claim.card_id,
        claim.card_number,
        claim.time_ms,
        claim.trust,
        True,
        True,
        claim.profile,
    )
    return cose.sign1(cose.encode(dict(enumerate(fields, 1))), signer, CONTENT_TYPE)


def claimed_presence(raw: bytes) -> Presence:
    """What it says before anybody checked its signature; raises PresenceError."""
    if len(raw) > MAX_PRESENCE:
        raise PresenceError(f"{len(raw)} bytes; a proof has at most {MAX_PRESENCE}")
    try:
        payload = cose.decode(cose.peek1(raw).payload)
    except CoseError as error:
        raise PresenceError(str(error)) from None
    match payload:
        case {
            1: str() as unit,
            2: str() as request_no,
            3: bytes() as nonce,
            4: bytes() as card_id,
            5: str() as card_number,
            6: int() as time_ms,
            7: int() as trust,
            8: True,
            9: True,
            10: int() as profile,
        } if set(payload) == set(PAYLOAD):
            claim = Presence(unit, request_no, nonce, card_id, card_number, time_ms, trust, profile)
        case _:
            raise PresenceError("the proof lacks a key or holds another type")
    if len(nonce) not in NONCE_LENGTHS or len(card_id) != 16 or not is_request_no(request_no):
        raise PresenceError("nonce, card id or request number is out of its bounds")
    if not 0 < time_ms < MAX_TIME_MS or trust not in (1, 2):
        raise PresenceError("its time is not one to trust")
    if profile not in (PROFILE_DEVELOPMENT, PROFILE_PRODUCTION):
        raise PresenceError("the profile is unknown")
    return claim


def verify_presence(raw: bytes, public_key: bytes) -> Presence:
    """The proof, signed by that key; raises PresenceError."""
    claim = claimed_presence(raw)
    try:
        cose.verify1(raw, public_key, CONTENT_TYPE)
    except CoseError as error:
        raise PresenceError(str(error)) from None
    return claim
