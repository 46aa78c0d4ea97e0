"""The social security application as data: names, files, items, key references (V2.0, SPEC-P6).

Only what a purchase needs stands here; lengths are those of the item's value in bytes.
"""

from __future__ import annotations

from typing import NamedTuple

SSSE_NAME = bytes.fromhex("7378312E73682EC9E7BBE1B1A3D5CF")  # "sx1.sh.社会保障" in GBK
DF04_FID = b"\xdf\x04"

# Key references in the card; bit 8 = a key of the current DF (SPEC-P5 EXTERNAL AUTHENTICATE)
KEY_RKSSSE = 0x0A
KEY_RK1DF04 = 0x84
KEY_UK2DF04 = 0x86


class Item(NamedTuple):
    """One simple-TLV item of a variable-record file."""

    sfi: int
    tag: int
    length: int
    form: str  # "cn" packed BCD or "an" ASCII/GBK
    name: str


# SSSE / EF05 issuer data: free read
CARD_ID = Item(0x05, 0x01, 0x10, "cn", "card identification code")
SPEC_VERSION = Item(0x05, 0x03, 0x04, "an", "specification version")
EXPIRY = Item(0x05, 0x06, 0x04, "cn", "expiry")
CARD_NUMBER = Item(0x05, 0x07, 0x09, "an", "card number")
# SSSE / EF06 holder basics: free on 1.0 and 2.0, RKSSSE on 3.0
NAME = Item(0x06, 0x09, 0x1E, "an", "name")
# DF04 / EF05 basics: PIN or RK1DF04
CARD_USE_MODE = Item(0x05, 0x8F, 0x01, "an", "card-use mode: 1 online, 2 offline")
# DF04 / EF06 temporary-offline settlement (2.0 and later): PIN and RK1DF04; write UK2DF04
OFFLINE_PERMITTED = Item(0x06, 0x90, 0x01, "an", "offline permitted: 0 no, 1 yes")
OFFLINE_TOTAL = Item(0x06, 0x92, 0x04, "cn", "offline cumulative amount, fen")
OFFLINE_COUNT = Item(0x06, 0x93, 0x02, "an", "offline cumulative count")

SFI_TRANSACTION_LOG = 0x08  # DF04 / EF08, cyclic, record 1 is the newest
LOG_RECORD_LENGTH = 0x1C
LOG_RECORD_LENGTH_ACCOUNT_ONLY = 0x14
LOG_MINIMUM_RECORDS = 30  # a card holds at least so many


def text(value: bytes) -> str:
    """An `an` value as text; padding 00, 20 and FF is stripped; GB18030 covers GBK names."""
    return value.rstrip(b"\x00\x20\xff").decode("gb18030", "replace")


def digits(value: bytes) -> str:
    """A `cn` value as decimal digits, right fill F stripped; ValueError when it is no BCD."""
    shown = value.hex().rstrip("f")
    if not shown.isdigit() and shown:
        raise ValueError("not packed BCD")
    return shown


def date(value: bytes) -> int:
    """A date as the int YYYYMMDD; 0 when empty.

    One maker stores the year as four ASCII digits: that reads as the last day of the year.
    """
    if value[:1] in (b"1", b"2") and value.isdigit() and value[:2] in (b"19", b"20"):
        return int(value) * 10000 + 1231
    shown = digits(value)
    return int(shown) if len(shown) == 8 else 0


def fen(value: bytes) -> int:
    """A cn amount in fen."""
    return int(digits(value) or "0")


def fen_value(amount_fen: int) -> bytes:
    """An amount in fen as cn 4; raises ValueError over 99,999,999."""
    if not 0 <= amount_fen <= 99_999_999:
        raise ValueError("an amount item holds at most 999,999.99 yuan")
    return bytes.fromhex("%08d" % amount_fen)
