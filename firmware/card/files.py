"""What a payment touches of the card's structure, by name; the rows are ssse.py's and df04.py's."""

from __future__ import annotations

from firmware.card.df04 import DF04
from firmware.card.keys import BY_NAME
from firmware.card.ssse import SSSE, SSSE_NAME

__all__ = ["DF04_FID", "LOG", "SSSE_NAME"]

DF04_FID = DF04.fid_bytes

CARD_ID = SSSE.item(0x05, 0x01)
SPEC_VERSION = SSSE.item(0x05, 0x03)
EXPIRY = SSSE.item(0x05, 0x06)
CARD_NUMBER = SSSE.item(0x05, 0x07)
CITIZEN_NUMBER = SSSE.item(0x06, 0x08)
NAME = SSSE.item(0x06, 0x09)
BIRTH_DATE = SSSE.item(0x06, 0x0D)
CARD_USE_MODE = DF04.item(0x05, 0x8F)
OFFLINE_PERMITTED = DF04.item(0x06, 0x90)
OFFLINE_TOTAL = DF04.item(0x06, 0x92)
OFFLINE_COUNT = DF04.item(0x06, 0x93)
LOG = DF04.file(0x08)
SPECIAL_SETTLEMENTS = DF04.file(0x15)


def _reference(name: str) -> int:
    found = BY_NAME[name].reference
    assert found is not None  # these are published
    return found


KEY_RKSSSE = _reference("RKSSSE")
KEY_RK1DF04 = _reference("RK1DF04")
KEY_UK2DF04 = _reference("UK2DF04")
KEY_PUK = _reference("PUK")
