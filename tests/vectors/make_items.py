"""Writes items.json: one vector for each item of the card's structure, made without the firmware.

    python tests/vectors/make_items.py

The rows below are a second transcription of V2.0 (and of the 1.0 rows that differ), the encoder a
second one of its rules: cn left aligned and filled with F, an filled with 00, GBK, amounts in fen.

A row: place, versions (* all, 1 only 1.0, 2 from 2.0), then "tag[*count]:kind+length", hexadecimal.
kind: a text, n name, g address, c digits, r region, d date, f amount, h hexadecimal, m tag 81,
t template (its parts in PARTS), b binary number, B binary amount, z time.  A cyclic file has "-"
for its tags and one vector for its record.
"""

from __future__ import annotations

import json
from pathlib import Path

ROWS = """
SSSE/05 * 01:h10 02:a01 03:a04 04:c0C 05:d04 06:d04 07:a09
SSSE/06 * 08:a12 09:n1E 0A:a01 0B:c01 0C:r03 0D:d04
SSSE/06 2 4E:n14
DF01/05 1 20:a01 22:a12
DF01/05 2 20:a02 0E:r03
DF01/05 * 21:g50
DF01/06 1 25:a3E 26:a12 27:c03
DF01/06 2 23:g50 24:r03 2C:n32 2D:a0F
DF01/06 * 28:a0F
DF01/07 * 29:a01
DF01/08 * 2B:a01
DF01/09 * 2E:g46 30:a09
DF01/09 1 2F:a08 31:a01 32:a03
DF01/09 2 32:a02
DF01/0A 1 37:c04 38:c04
DF01/0A 2 37:a03 38:a02
DF01/0A * 39:d04
DF01/15 * 2A:c01 40*3:t34
DF02/05 1 40:t34 41:t34 42:c03 43:t1D 44:t1D
DF02/05 2 42:a03 41:a03 43*2:t6C 44*2:t65
DF02/06 * 4C:d04 60:d04 3A:a07
DF02/06 1 4B:c04 4D:c04 4F:c04 50:c04
DF02/06 2 4B:a05 4D:c03 4F:a06 50:c03
DF02/07 * -:a07 -:d04 -:d04 -:g46
DF02/08 * 52:c0A 53:a3E 94:a08 54:c04
DF02/09 1 55:c0A 95:a08 97:c04
DF02/09 2 55:a10 97:r03
DF02/09 * 56:g46 96:d04
DF02/15 * 99*4:t10 0F:c04 1F:c03
DF02/16 * -:a03 -:d04 -:d04 -:d04 -:r03
DF03/05 1 61:c04
DF03/05 2 61:r03
DF03/05 * 60:d04 98:c04 62:c04 63:a03 64:a03 65:a03 66:a03
DF03/06 1 68:a3E 69:a3E 6A:a10
DF03/06 2 45:a14 46:a02 47:a02 48:a01 49:a01 4A*3:t61
DF03/06 * 67:c04 6B:a3C
DF03/07 1 71:c04 6D:c04 72:c04
DF03/07 2 71:r03
DF03/07 * 70:a03 6E:d04 6C:d04 6F:d04 73:d04
DF03/15 * 7A:c03 7B:c04 7C:c04
DF03/16 * 51:c03 5F:a01
DF03/17 * 3B:a14 3C:a46 3D:a01 3E:c04 3F:a3C
DF03/08 * 7A:c03 7B:c04 7C:c04
DF03/09 * 51:c03 5F:a01
DF03/0A * 3B:a14 3C:a46 3D:a01 3E:c04 3F:a3C
DF03/18 * 74:a03 75:c03 76:c01 77:c04 78:c04
DF03/19 * 79*4:t27
DF04/05 1 81:g46 84:g46 87:g46 82:a08 85:a08 88:a08 8B:a0A
DF04/05 2 81:m08 84:r03 87:a11 8B:a1D 7D:a09 7E:a09 7F:a09 8D:a09 8E:a09
DF04/05 * 8C:c01 80:d04 8A:a0F 83:a09 86:a09 89:a09 8F:a01
DF04/06 1 90:f04 92:f04 93:f04
DF04/06 2 90:a01 92:f04 93:a02
DF04/08 * -:b02 -:a01 -:c06 -:z07 -:B04 -:B04 -:B04
DF04/15 * -:b02 -:a01
DF05/05 * A0:a01 A1:a01 B9:a01 A2:a04 A9:c01 A3*5:t18 A4*5:t17 BA:g14 BB:g64 AA:a14 AB:c04
DF05/05 * AC:a01 AD:a01 AE:a01 AF:a01 B0:a01 B1:a01 B2:a01 B3:a01 B4:a01 B5:a01 B6:a01 B7:a01
DF05/05 * BC:a01 B8:a28
DF07/05 * F0:a02 F1:a01 F2:c04 F3:a03 F4:c04
DF07/06 * F5:a03 F6:c04 F7:a46
DF07/07 * F8:c04 F9:a01
"""

PARTS = {
    "34": "57:a03 58:c03 59:g28",
    "1D": "5A:a07 5B:a01 5C:a09 5D:c04",
    "6C": "5A:a07 5B:a01 5C:a46 5D:c04 5E:a10",
    "65": "33:a03 34:a46 35:c04 36:a10",
    "10": "10:a03 11:c04 12:c03",
    "61": "13:a02 14:a01 15:a14 16:c04 17:a3C",
    "27": "18:a03 19:r03 1A:d04 1B:d04 1C:f04 1D:a03 1E:d04",
    "18": "A5:a10 A6:a04",
    "17": "A7:a10 A8:a03",
}

# Published cards' own bytes, and values that say more than an invented one.
GIVEN = {
    "SSSE/05/01/h": ("519900D15600000510000B26FFFFFFFF", "519900D15600000510000B26FFFFFFFF"),
    "SSSE/05/03/a": ("3.00", "332E3030"),
    "SSSE/05/07/a": ("HA1046924", "484131303436393234"),
    "SSSE/06/09/n": ("张三", "D5C5C8FD" + "00" * 26),
    "SSSE/06/4E/n": ("·阿卜", "A1A4B0A2B2B7" + "00" * 14),
    "DF04/05/81/m": ("31001000", "3331303031303030"),
}

VERSIONS = {"*": ["1.0", "2.0", "3.0"], "1": ["1.0"], "2": ["2.0", "3.0"]}


def sample(kind: str, length: int, seed: int) -> tuple[object, str]:
    """(value, hex) of an item of that kind and length."""
    if kind == "t":
        return template(f"{length:02X}", seed)
    if kind == "d":
        day = f"20{seed % 40:02d}{1 + seed % 12:02d}{1 + seed % 28:02d}"
        return f"{day[:4]}-{day[4:6]}-{day[6:]}", day
    if kind == "z":
        return "2026-11-22 10:30:45", "20261122103045"
    if kind == "f":
        return seed * 101, f"{seed * 101:08d}"
    if kind in "bB":
        return seed, f"{seed:0{2 * length}X}"
    if kind in "cr":
        digits = str(10**30 + seed**9)[-(2 * length) :]
        shown = digits if kind == "r" or length == 1 else digits[:-1]
        return shown, shown.ljust(2 * length, "F")
    if kind in "ng":
        raw = "示例".encode("gbk") + b"%02X" % seed
        return raw.decode("gbk"), raw.hex().upper().ljust(2 * length, "0")
    shown = (
        (f"{seed:02X}" * length)[: max(1, length - 1)] if length > 3 else f"{seed:03d}"[-length:]
    )
    return shown, shown.encode("ascii").hex().upper().ljust(2 * length, "0")


def template(length: str, seed: int) -> tuple[dict[str, object], str]:
    value, raw = {}, ""
    for cell in PARTS[length].split():
        tag, kind, size = cell[:2], cell[3], int(cell[4:], 16)
        value[tag], own = sample(kind, size, seed + int(tag, 16))
        raw += f"{tag}{size:02X}{own}"
    assert len(raw) == 2 * int(length, 16), (length, raw)
    return value, raw


def vectors() -> list[dict[str, object]]:
    out = []
    for line in ROWS.split("\n"):
        if not line:
            continue
        place, versions, *cells = line.split()
        row = {"df": place[:4], "ef": place[5:], "versions": VERSIONS[versions]}
        if cells[0].startswith("-"):
            values, raws = [], ""
            for at, cell in enumerate(cells):
                value, raw = sample(cell[2], int(cell[3:], 16), 17 + at)
                values.append(value)
                raws += raw
            out.append(row | {"record": values, "raw": raws})
            continue
        for cell in cells:
            name, _, spec = cell.partition(":")
            tag, _, count = name.partition("*")
            kind, length = spec[0], int(spec[1:], 16)
            value, raw = GIVEN.get(f"{place}/{tag}/{kind}") or sample(kind, length, int(tag, 16))
            form = {"t": "tlv"}.get(kind, "an" if kind in "angm" else "cn")
            out.append(
                row
                | {"tag": tag, "count": int(count or 1), "form": form, "length": length}
                | {"value": value, "raw": raw}
            )
    return out


if __name__ == "__main__":
    lines = ",\n".join(json.dumps(each, ensure_ascii=False) for each in vectors())
    Path(__file__).with_name("items.json").write_text(f"[\n{lines}\n]\n", encoding="utf-8")
