"""What the issuer writes into a new card: numbers with their check, items at their full length."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from firmware.tlv import encode
from simulator import files, fill
from simulator.files import Df, Ef, Item, Place, directory_sfi, place, where
from simulator.filesystem import applications_of, structure_of
from simulator.filetable import DRAFT_PLACES, OTHER_IN_1_0
from simulator.local import Local

if TYPE_CHECKING:
    from simulator.card import CardMemory

Items = dict[int, Any]

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


def account_items(balance_fen: int, yearly_self_fen: int, yearly_pooled_fen: int) -> Items:
    """DF04/EF06 as version 1.0 meant it: the account's balance, the two yearly totals."""
    fens = (balance_fen, yearly_self_fen, yearly_pooled_fen)
    return {tag: f"{fen:08d}" for tag, fen in zip((0x90, 0x92, 0x93), fens, strict=True)}


def standing_items(region: str, local: Local | None, full: bool) -> dict[Place, Items]:
    """What the region writes into each of its cards, and if `full` something for every item."""
    out: dict[Place, Items] = {}
    if full:
        out = {where(name): dict(items) for name, items in fill.items(region).items()}
    if local:
        out |= {at: dict(items) for at, items in local.values.items()}
    return out


def write_files(memory: CardMemory, items: dict[Place, Items], full: bool) -> None:
    """Every file of the card.  items: place -> tag -> value; full: those without tags as well."""
    if memory.meanings != files.AS_2_0:
        give_old_meanings(items, memory.meanings)
    if memory.switches.access_rules == "p6_draft":
        for name, drafted in DRAFT_PLACES.items():
            items[where(drafted)] = items.get(where(name), {})
    structure = structure_of(memory)
    memory.files = contents(
        structure,
        applications_of(memory),
        items,
        memory.generation,
        memory.switches.name_padding,
    )
    if full:
        _fill_untagged(memory, structure)


def _fill_untagged(memory: CardMemory, structure: dict[Place, Ef]) -> None:
    """The cyclic files, the transparent ones, and a log of what came before purchase_serial."""
    before = memory.purchase_serial - 1
    log = fill.past_settlements(
        range(before, max(before - memory.log_records, 0), -1),
        memory.code + "000001",
        memory.year.hex(),
    )
    for name, rows in {**fill.cyclic(memory.code), "DF04/08": log}.items():
        ef = structure.get(where(name))
        if ef is not None:
            memory.files[name] = [fixed_record(ef, row) for row in rows]
    for at, ef in structure.items():
        if ef.is_transparent:
            name = place(*at)
            memory.files[name] = [fill.noise(f"{memory.label}/{name}", ef.size * 3 // 4)]


def give_old_meanings(values: dict[Place, Items], meanings: str) -> None:
    """1.0 values for the tags that version 1.0 used otherwise, or 2.0 values filled with hex E.

    A 2.0 value that is not shorter than the item was in 1.0 cannot be rewritten: the old one stays.
    """
    old = fill.items_of_1_0()
    for at, ef in files.V2.items():
        for item in ef.rows():
            if item.tag not in OTHER_IN_1_0 or ef.size:
                continue
            items = values.setdefault(where(at), {})
            room = int(OTHER_IN_1_0[item.tag][1:], 16)
            if meanings == files.REWRITTEN and item.length < room:
                value = encoded(item, items.get(item.tag, b""))
                items[item.tag] = value.ljust(room, b"\xee")
            elif item.tag in old:
                items[item.tag] = old[item.tag]


def contents(
    structure: dict[Place, Ef],
    dfs: dict[str, Df],
    items: dict[Place, Items],
    generation: str,
    name_padding: str,
) -> dict[str, list[bytes]]:
    """Place ("DF04/08") -> records, for every file of the structure; others are left empty."""
    fill_of_names = bytes.fromhex(name_padding)
    out = {
        place(*at): records(ef, items.get(at, {}), fill_of_names) if not ef.size else []
        for at, ef in structure.items()
    }
    if ("SSSE", directory_sfi(generation)) in structure:
        out[place("SSSE", directory_sfi(generation))] = directory(dfs)
    return out


def records(ef: Ef, values: Items, fill_of_names: bytes) -> list[bytes]:
    """One simple-TLV record for each item and each of its repetitions, at full length."""
    out = []
    for item in ef.rows():
        given = values.get(item.tag, b"")
        repeated = given if isinstance(given, list) else [given]
        for n in range(item.times):
            value = encoded(item, repeated[n] if n < len(repeated) else b"", fill_of_names)
            out.append(bytes((item.tag, item.length)) + value)
    return out


def encoded(item: Item, value: Any, fill_of_names: bytes = b"\x00") -> bytes:
    """An item's value at its full length: cn filled with FF, an with 00, names as they say.

    value: bytes, text, or for a template a dict of its parts.  Raises ValueError when too long.
    """
    if item.parts:
        parts = value or {}
        value = b"".join(
            bytes((part.tag, part.length)) + encoded(part, parts.get(part.tag, b""))
            for part in item.parts
        )
    if isinstance(value, str):
        value = bytes.fromhex(value) if item.form in "cb" else value.encode("gb18030")
    if len(value) > item.length:
        raise ValueError(f"item {item.tag:02X} has at most {item.length} bytes")
    filling = {"c": b"\xff", "n": fill_of_names}.get(item.form, b"\x00")
    return bytes(value.ljust(item.length, filling))


def fixed_record(ef: Ef, fields: tuple[str, ...]) -> bytes:
    """A record of a cyclic file from the text of its fields; shorter on an account-only card."""
    made = b"".join(encoded(item, value) for item, value in zip(ef.rows(), fields, strict=True))
    return made[: ef.size]


def directory(dfs: dict[str, Df]) -> list[bytes]:
    """One template for each application that has an AID: 61 { 4F AID, 50 label } (SPEC-P3)."""
    return [
        encode(0x61, encode(0x4F, df.aid) + encode(0x50, df.label.encode("gbk")))
        for df in dfs.values()
        if df.aid
    ]
