"""Bytes of an item <-> what they say, by the item's form and kind, both ways (V2.0).

Decoded values are JSON-able: str, int, a dict for a B-TLV group or a record, None for an item in
which nothing is written.  kind:
    text, name, address     str (an); an address may be filled with ASCII "0" by some issuers
    digits, region, code:*  str of digits (cn) or characters (an), see codes.py
    date                    "YYYY-MM-DD", "YYYY-MM" or "YYYY" (cn)
    time                    "YYYY-MM-DD hh:mm:ss" (cn 7)
    fen                     int, unit 0.01 yuan (cn or b);  uint: int (b)
    hex                     str, upper-case hexadecimal;  medical: str, see codes.py
    group                   {part's tag in hex: value} (tlv)
Nothing is dropped: bytes that no text can show stand in it as `‹A1FE›`.
"""

from __future__ import annotations

import datetime
import re

from firmware.card.items import Ef, Item
from firmware.card.text import TextError, bytes_of_text, text

__all__ = ["FormError", "Value", "date", "decode", "decode_found", "digits", "encode", "fen"]

Value = str | int | dict[str, "Value"] | None

_PADDING = b"\x00\x20\xff"
_EE = 0xEE
_ZERO_FILL = re.compile("0{4,}$")


class FormError(ValueError):
    """Bytes that are not of their item's form, or a value that its item cannot hold."""


# -- the elements ---------------------------------------------------------------------------------


def digits(raw: bytes) -> str:
    """A cn value as decimal digits, right fill F stripped."""
    shown = raw.hex().rstrip("f")
    if shown and not shown.isdigit():
        raise FormError("not packed BCD")
    return shown


def digits_value(shown: str, length: int) -> bytes:
    """cn, left aligned, right fill F."""
    if not (shown.isascii() and (shown.isdigit() or not shown)) or len(shown) > 2 * length:
        raise FormError(f"at most {2 * length} digits")
    return bytes.fromhex(shown.ljust(2 * length, "F"))


def date(raw: bytes) -> int:
    """A date as the int YYYYMMDD; 0 when empty.

    One maker stores the year as four ASCII digits: that reads as the last day of the year.
    """
    year = _ascii_year(raw)
    if year:
        return int(year) * 10000 + 1231
    shown = digits(raw)
    return int(shown) if len(shown) == 8 else 0


def fen(raw: bytes) -> int:
    """A cn amount in fen; 0 when empty."""
    return int(digits(raw) or "0")


def fen_value(amount_fen: int, length: int = 4) -> bytes:
    """An amount in fen as cn with leading zeros."""
    if not 0 <= amount_fen < 100**length:
        raise FormError("the amount does not fit its item")
    return bytes.fromhex("%0*d" % (2 * length, amount_fen))


def _ascii_year(raw: bytes) -> str:
    """ "2012" for the bytes 32 30 31 32, which no BCD date can be; else ""."""
    is_year = len(raw) == 4 and raw.isdigit() and raw[:2] in (b"19", b"20")
    return raw.decode() if is_year else ""


def _shown_date(raw: bytes) -> str | None:
    shown = _ascii_year(raw) or digits(raw)
    if not shown.strip("0"):
        return None
    if len(shown) not in (4, 6, 8):
        raise FormError("not a date")
    parts = [shown[:4], shown[4:6], shown[6:8]]
    try:
        datetime.date(int(parts[0]), int(parts[1] or "1"), int(parts[2] or "1"))
    except ValueError:
        raise FormError("not a date") from None
    return "-".join(part for part in parts if part)


def _date_value(shown: str, length: int) -> bytes:
    if not re.fullmatch("[0-9]{4}(-[0-9]{2}(-[0-9]{2})?)?", shown):
        raise FormError("a date is written YYYY-MM-DD, YYYY-MM or YYYY")
    raw = digits_value(shown.replace("-", ""), length)
    if _shown_date(raw) != shown:
        raise FormError("no such date")
    return raw


def _shown_time(raw: bytes) -> str | None:
    shown = digits(raw)
    if not shown.strip("0"):
        return None
    try:
        return str(datetime.datetime.strptime(shown, "%Y%m%d%H%M%S")) if len(shown) == 14 else shown
    except ValueError:
        raise FormError("not a time") from None


# -- one item -------------------------------------------------------------------------------------


def decode(item: Item, raw: bytes) -> Value:
    """What the value bytes of that item say.  Raises FormError.

    raw may be shorter or longer than the table says: a card's own length holds.
    """
    if item.form == "tlv":
        return _decode_group(item, raw)
    if item.form == "b":
        return int.from_bytes(raw, "big")
    if not raw.strip(_PADDING if item.form == "an" else b"\xff"):
        return None
    if item.form == "an":
        return _decode_text(item, raw)
    match item.kind:
        case "hex":
            return raw.hex().upper()
        case "date":
            return _shown_date(raw)
        case "time":
            return _shown_time(raw)
        case "fen":
            return fen(raw)
    return digits(raw)


def encode(item: Item, value: Value) -> bytes:
    """The item's value at its full length.  Raises FormError; None empties the item."""
    if item.form == "tlv":
        return _encode_group(item, value)
    if value is None:
        fill = {"an": b"\x00", "cn": b"\xff", "b": b"\x00"}[item.form]
        return fill * item.length
    if isinstance(value, int) and item.kind in ("fen", "uint"):
        return _number_value(item, value)
    if not isinstance(value, str) or item.form == "b":
        raise FormError(f"{item.name} takes no {type(value).__name__}")
    if item.form == "an":
        return _text_value(item, value)
    if item.kind == "hex":
        return _hex_value(item, value)
    if item.kind == "date":
        return _date_value(value, item.length)
    if item.kind == "time":
        value = re.sub("[- :]", "", value)
    return digits_value(value, item.length)


def _decode_text(item: Item, raw: bytes) -> str | None:
    shown = text(raw)
    if item.kind == "address":
        # "right fill with hex 0" was read as the character 0 by some; a short run may be meant.
        shown = _ZERO_FILL.sub("", shown)
    return shown or None


def _text_value(item: Item, value: str) -> bytes:
    try:
        raw = bytes_of_text(value)
    except TextError as error:
        raise FormError(str(error)) from None
    if len(raw) > item.length:
        raise FormError(f"{item.name} has at most {item.length} bytes, not {len(raw)}")
    return raw.ljust(item.length, b"\x00")


def _number_value(item: Item, value: int) -> bytes:
    if item.form == "cn":
        return fen_value(value, item.length)
    if not 0 <= value < 256**item.length:
        raise FormError(f"{item.name} does not fit {item.length} bytes")
    return value.to_bytes(item.length, "big")


def _hex_value(item: Item, value: str) -> bytes:
    if not re.fullmatch(f"[0-9A-Fa-f]{{{2 * item.length}}}", value):
        raise FormError(f"{item.name} is {2 * item.length} hexadecimal digits")
    return bytes.fromhex(value)


# -- groups, records, files -----------------------------------------------------------------------


def _decode_group(item: Item, raw: bytes) -> dict[str, Value] | None:
    if not raw.strip(b"\x00\xff"):
        return None
    items, rest = split(raw)
    if rest:
        raise FormError(f"{item.name}: the parts do not fill the group")
    rows = {part.tag: part for part in item.parts}
    if len({tag for tag, _ in items}) != len(items):
        raise FormError(f"{item.name}: a part stands twice")
    out: dict[str, Value] = {f"{tag:02X}": None for tag in rows}
    for tag, value in items:
        known = rows.get(tag)
        out[f"{tag:02X}"] = decode(known, value) if known else f"‹{value.hex().upper()}›"
    return out if any(value is not None for value in out.values()) else None


def _encode_group(item: Item, value: Value) -> bytes:
    if value is not None and not isinstance(value, dict):
        raise FormError(f"{item.name} takes its parts by tag")
    given = value or {}
    unknown = set(given) - {f"{part.tag:02X}" for part in item.parts}
    if unknown:
        raise FormError(f"{item.name} has no part {', '.join(sorted(unknown))}")
    return b"".join(
        bytes((part.tag, part.length)) + encode(part, given.get(f"{part.tag:02X}"))
        for part in item.parts
    )


def split(raw: bytes) -> tuple[list[tuple[int, bytes]], bytes]:
    """A run of simple TLVs: ([(tag, value)], the bytes of an item that is cut off, else empty).

    00 and FF between items are padding (a 1.0 card pads its records): no tag has these values.
    """
    items: list[tuple[int, bytes]] = []
    at = 0
    while at < len(raw):
        if raw[at] in (0x00, 0xFF):
            at += 1
            continue
        end = at + 2 + raw[at + 1] if at + 1 < len(raw) else len(raw) + 1
        if end > len(raw):
            return items, raw[at:]
        items.append((raw[at], raw[at + 2 : end]))
        at = end
    return items, b""


def decode_record(ef: Ef, raw: bytes) -> dict[str, Value] | None:
    """One cyclic record by the names of its fields; None when it was never written.

    A shorter record ends after a whole field (account-only mode).  Raises FormError.
    """
    if not raw.strip(b"\x00\xff"):
        return None
    out: dict[str, Value] = {}
    at = 0
    for field in ef.items:
        if at == len(raw):
            break
        if at + field.length > len(raw):
            raise FormError(f"a record of {len(raw)} bytes ends inside {field.name}")
        out[field.name] = decode(field, raw[at : at + field.length])
        at += field.length
    if at != len(raw):
        raise FormError(f"a record of {len(raw)} bytes instead of {ef.size}")
    return out


def encode_record(ef: Ef, values: dict[str, Value]) -> bytes:
    """One cyclic record of full size.  Raises FormError."""
    unknown = set(values) - {field.name for field in ef.items}
    if unknown:
        raise FormError(f"{ef.name} has no field {', '.join(sorted(unknown))}")
    return b"".join(encode(field, values.get(field.name)) for field in ef.items)


def decode_found(ef: Ef, tag: int, raw: bytes, version: str) -> tuple[Item | None, Value]:
    """The row of a tag found on a card of that version, and what its value says.

    A 1.0 card rewritten with the 2.0 meaning pads the new value on the right with hex E: then the
    later row counts (V2.0).  Raises FormError; (None, None) when no table knows the tag.
    """
    row = ef.row(tag, version, len(raw))
    if row is None:
        return None, None
    if version == "1.0" and raw.endswith(bytes((_EE,))):
        for later in ef.items:
            fits = later.tag == tag and "2.0" in later.versions and later.length < len(raw)
            if fits and not raw[later.length :].strip(bytes((_EE,))):
                return later, decode(later, raw[: later.length])
    return row, decode(row, raw)
