"""The signed request that a unit made at its first start, taken from its card."""

from __future__ import annotations

from firmware.journal.algorithms import key_id
from firmware.journal.enrolment import Enrolment, EnrolmentError, verify_enrolment
from tools.technician.card import ENROLMENT, Card
from tools.technician.errors import FlashError


def read(card: Card) -> bytes:
    """The request, as `sscoffice enrol` takes it; raises FlashError 1303."""
    raw = card.data_file(ENROLMENT)
    if raw is None:
        raise FlashError(1303, ENROLMENT)
    of(raw)
    return raw


def of(raw: bytes) -> Enrolment:
    """Raises FlashError 1303 unless its own key signed it."""
    try:
        return verify_enrolment(raw)
    except EnrolmentError as error:
        raise FlashError(1303, str(error)) from None


def key_of(request: Enrolment) -> str:
    return key_id(request.public_key).hex()
