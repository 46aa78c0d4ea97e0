"""The enrolment request: a unit's name, device key and TLS key, signed by the device key.

It proves that whoever sends it holds the key; that the unit is ours, a person decides.
"""

from __future__ import annotations

from dataclasses import dataclass

from firmware.journal import algorithms, cose
from firmware.journal.algorithms import Signer
from firmware.journal.cose import CoseError

CONTENT_TYPE = "application/ssc-enrolment+cbor"
MAX_ENROLMENT = 4096  # bytes

PAYLOAD = {1: "unit", 2: "public_key", 3: "region", 4: "time", 5: "tls_request", 6: "replaces"}


class EnrolmentError(ValueError):
    """No enrolment request, or one that its own key did not sign."""


@dataclass(frozen=True, slots=True)
class Enrolment:
    """algorithm, public_key: of the device key (algorithms.py).

    tls_request: PKCS #10, DER, of the key the unit's uplink uses; None from an older unit.
    replaces: the unit that this one took over from and that is retired by it; None for most.
    """

    unit: str
    algorithm: int
    public_key: bytes
    region: str
    time_ms: int
    tls_request: bytes | None
    replaces: str | None = None


def make_enrolment(
    *,
    unit: str,
    region: str,
    time_ms: int,
    signer: Signer,
    tls_request: bytes | None = None,
    replaces: str | None = None,
) -> bytes:
    """The request of this unit."""
    payload = dict(enumerate((unit, signer.public_key, region, time_ms), 1))
    if tls_request is not None:
        payload[5] = tls_request
    if replaces is not None:
        payload[6] = replaces
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
                algorithm = cose.algorithm_of(cose.parts1(raw)[0], CONTENT_TYPE)
                tls_request, replaces = claimed.get(5), claimed.get(6)
                if isinstance(tls_request, bytes | None) and isinstance(replaces, str | None):
                    written = algorithms.written(algorithm)
                    return Enrolment(
                        unit, written, public_key, region, time_ms, tls_request, replaces
                    )
    except CoseError as error:
        raise EnrolmentError(str(error)) from None
    raise EnrolmentError("the request lacks a key or holds another type")
