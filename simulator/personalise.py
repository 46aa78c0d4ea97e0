"""What the issuer writes into a new card: items padded to their length, numbers with their check."""

from __future__ import annotations

from firmware.tlv import encode
from simulator.files import DFS, Ef

_WEIGHTS = (3, 7, 9, 10, 5, 8, 4, 2)


def check_character(number: str) -> str:
    """The ninth character of a card number: 11 - (weighted sum mod 11); 10 is X, 11 is 0."""
    total = sum(
        int(character, 36) * weight for character, weight in zip(number, _WEIGHTS, strict=True)
    )
    return "0123456789X0"[11 - total % 11]


def card_number(serial: int) -> str:
    """A card number of nine characters: a letter, seven digits, the check character."""
    head = "A%07d" % (serial % 10_000_000)
    return head + check_character(head)


def card_id(region: str, serial: int) -> bytes:
    """16 bytes: region 3, D156000005, serial 4, FFFFFFFF as test cards have it."""
    return bytes.fromhex(region) + b"\xd1\x56\x00\x00\x05" + serial.to_bytes(4, "big") + b"\xff" * 4


def historical_bytes(region: str, serial: int) -> bytes:
    """13 bytes; the last eight are the card's diversification factor."""
    return bytes.fromhex("8154444C018649" + region[:4]) + serial.to_bytes(4, "big")


def date_value(date8: str, form: str) -> bytes:
    """YYYYMMDD as BCD ("cn8"), or its year as four ASCII digits ("ascii_year")."""
    return date8[:4].encode() if form == "ascii_year" else bytes.fromhex(date8)


def records(ef: Ef, values: dict[int, bytes | str], name_padding: str) -> list[bytes]:
    """One simple-TLV record for each item: values given, cn filled with FF, an with 00."""
    out = []
    for tag, length, form in ef.rows():
        value = values.get(tag, b"")
        if isinstance(value, str):
            value = bytes.fromhex(value) if form == "c" else value.encode("gb18030")
        if len(value) > length:
            raise ValueError(f"item {tag:02X} has at most {length} bytes")
        fill = {"c": b"\xff", "a": b"\x00", "n": bytes.fromhex(name_padding)}[form]
        out.append(bytes((tag, length)) + value.ljust(length, fill))
    return out


def directory() -> list[bytes]:
    """One entry template for each application: 61 { 4F AID, 50 label } (SPEC-P3)."""
    return [
        encode(0x61, encode(0x4F, df.aid) + encode(0x50, df.label.encode("gbk")))
        for df in DFS.values()
    ]
