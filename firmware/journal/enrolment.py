"""The enrolment request: a unit's name and device key, signed by that key.

It proves that whoever sends it holds the key; that the unit is ours, a person decides.
"""

from __future__ import annotations

from dataclasses import dataclass

from firmware.journal import cose
from firmware.journal.cose import CoseError, Signer

CONTENT_TYPE = "application/ssc-enrolment+cbor"
MAX_ENROLMENT = 4096  # bytes

PAYLOAD = {1: "unit", 2: "public_key", 3: "region", 4: "time"}


class EnrolmentError(ValueError):
    """No enrolment request, or one that its own key did not sign."""


@dataclass(frozen=True, slots=True)
class Enrolment:
    """public_key: raw Ed25519, 32 bytes."""

    unit: str
    public_key: bytes
    region: str
    time_ms: int


def make_enrolment(*, unit: str, region: str, time_ms: int, signer: Signer) -> bytes:
    """The request of this unit."""
    payload = dict(enumerate((unit, signer.public_key, region, time_ms), 1))
    return cose.sign1(cose.encode(payload), signer, CONTENT_TYPE)


def verify_enrolment(raw: bytes) -> Enrolment:
    """The request, verified with the key it names; raises EnrolmentError."""
    if len(raw) > MAX_ENROLMENT:
        raise EnrolmentError(f"{len(raw)} bytes; a request has at most {MAX_ENROLMENT}")
    try:
        claimed = cose.decode(cose.peek1(raw).payload)
        match claimed:
            case {
                1: str() as unit,
                2: bytes() as public_key,
                3: str() as region,
                4: int() as time_ms,
            }:
                cose.verify1(raw, public_key, CONTENT_TYPE)
                return Enrolment(unit, public_key, region, time_ms)
    except CoseError as error:
        raise EnrolmentError(str(error)) from None
    raise EnrolmentError("the request lacks a key or holds another type")
