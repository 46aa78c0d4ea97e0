"""What the issuer writes into a new card: numbers with their check, items at their full length."""

from __future__ import annotations

from firmware.tlv import encode
from simulator.files import DFS, Ef, directory_sfi, place

Items = dict[int, bytes | str]

VERSIONS = {"1.0": b"1.00", "2.0": b"2.0\x00", "3.0": b"3.00"}

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


def issuer_items(
    card_id: bytes,
    card_number: str,
    region: str,
    generation: str,
    dates: tuple[str, str],
    date_form: str,
) -> Items:
    """SSSE/EF05.  dates: issue and expiry, YYYYMMDD."""
    return {
        0x01: card_id,
        0x02: "3",
        0x03: VERSIONS[generation],
        0x04: "9156000002" + region + region + "01",
        0x05: date_value(dates[0], date_form),
        0x06: date_value(dates[1], date_form),
        0x07: card_number,
    }


def holder_items(name: str, citizen_number: str) -> Items:
    """SSSE/EF06; sex, birthplace and birth date follow from the citizen number."""
    if len(citizen_number) != 18 or not citizen_number[:17].isdigit():
        raise ValueError("a citizen number has 17 digits and a check character")
    return {
        0x08: citizen_number,
        0x09: name,
        0x0A: "1" if int(citizen_number[16]) % 2 else "2",
        0x0B: "01",
        0x0C: citizen_number[:6],
        0x0D: citizen_number[6:14],
    }


def medical_items(region: str, card_use_mode: str) -> Items:
    """DF04/EF05: employee medical insurance, working; card_use_mode "1" online, "2" offline."""
    return {0x81: "310".ljust(8, "0"), 0x84: region, 0x8C: "11", 0x8F: card_use_mode}


def offline_items(permitted: bool, total_fen: int, count: int) -> Items:
    """DF04/EF06: may the card settle offline, how much and how often it has."""
    return {0x90: "1" if permitted else "0", 0x92: f"{total_fen:08d}", 0x93: f"{count:02d}"}


def contents(
    structure: dict[tuple[str, int], Ef],
    items: dict[tuple[str, int], Items],
    generation: str,
    name_padding: str,
) -> dict[str, list[bytes]]:
    """Place ("DF04/08") -> records, for every file of the structure."""
    out = {
        place(*where): records(ef, items.get(where, {}), name_padding)
        for where, ef in structure.items()
    }
    if ("SSSE", directory_sfi(generation)) in structure:
        out[place("SSSE", directory_sfi(generation))] = directory()
    return out


def records(ef: Ef, values: Items, name_padding: str) -> list[bytes]:
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
