"""Which PSAM key serves which purpose: key id and type (SPEC-P9, annex B and two provinces).

The number of diversification factors is not written down here as a fact but as the place to start:
a PSAM may hold national, provincial or city roots, and `PsamSession.probe` finds out.  The names
are those of the card's keys (card/keys.py).
"""

from __future__ import annotations

from typing import NamedTuple

from firmware.psam.commands import TYPE_BOTH, TYPE_ENCRYPT, TYPE_PURCHASE

_MAC = 6


class PsamKey(NamedTuple):
    name: str
    key_id: int
    key_type: int
    usual_factors: int


class OpenKey(NamedTuple):
    """A key whose id is published, but neither its type nor its factors: region data."""

    name: str
    key_id: int


def _keys(names: str, usages: str) -> tuple[PsamKey, ...]:
    """Names, and for each usage byte and key id in hex as DELIVERY SESSION KEY carries them."""
    pairs = (bytes.fromhex(each) for each in usages.split())
    return tuple(
        PsamKey(name, key_id, usage & 0x1F, usage >> 5)
        for name, (usage, key_id) in zip(names.split(), pairs, strict=True)
    )


IRK = PsamKey("IRK", 0x08, TYPE_ENCRYPT, 3)  # card is genuine
RKSSSE = PsamKey("RKSSSE", 0x0A, TYPE_ENCRYPT, 3)  # read EF06 on a 3.0 card
RK1DF04 = PsamKey("RK1DF04", 0x2D, TYPE_ENCRYPT, 3)  # read DF04/EF06
UK2DF04 = PsamKey("UK2DF04", 0x2A, TYPE_ENCRYPT, 2)  # write DF04/EF06

PURCHASE_KEYS = (IRK, RKSSSE, RK1DF04, UK2DF04)
"""Probed at every start: what a payment needs."""

STK = PsamKey("STKSSSE", 0x09, TYPE_BOTH, 2)  # P9: usage 26, 8 bytes in DES
UKSSSE = PsamKey("UKSSSE", 0x12, TYPE_BOTH, 2)
PUK = PsamKey("PUK", 0x10, TYPE_BOTH, 2)

DPK = tuple(PsamKey("DPK", version, TYPE_PURCHASE, 1) for version in (1, 2, 3))
"""By version 1 to 3; INIT SAM FOR PURCHASE names the version itself.  Others: region.py."""

KEYS = (
    *PURCHASE_KEYS,
    STK,
    UKSSSE,
    PUK,
    PsamKey("RK1DF01", 0x2E, TYPE_ENCRYPT, 3),
    # P9 gives usage 27, one factor, for UK3DF01 and UK4DF01
    *_keys(
        "UK1DF01 UK2DF01 UK3DF01 UK4DF01 UK5DF01 UK6DF01",
        "4842    4843    4724    4725    4844    472F",
    ),
    PsamKey("RK1DF02", 0x35, TYPE_ENCRYPT, 3),
    *_keys(
        "UK1DF02 UK2DF02 UK3DF02 UK4DF02 UK5DF02 UK6DF02",
        "4726    4845    4846    4727    4728    4736",
    ),
    PsamKey("RK1DF03", 0x2B, TYPE_ENCRYPT, 3),
    PsamKey("RK2DF03", 0x2C, TYPE_ENCRYPT, 3),
    *_keys(
        "UK1DF03 UK2DF03 UK3DF03 UK4DF03 UK5DF03 UK6DF03 UK7DF03 UK8DF03",
        "4847    4729    4848    4737    4738    4739    473A    473B",
    ),
    PsamKey("UK1DF04", 0x49, TYPE_BOTH, 2),
    *(PsamKey(f"STKDF0{at + 1}", 0x20 + at, _MAC, 1) for at in range(4)),
)
"""Every key whose id, type and usual factors are published."""

OPEN_KEYS = (
    OpenKey("BK", 0x11),
    *(OpenKey(f"UK{number}DF01", 0x30 + at) for at, number in enumerate("789AB")),
    OpenKey("LKDF03", 0x40),
    OpenKey("LKDF04", 0x41),
    OpenKey("DSK", 0x4A),
    OpenKey("DLK", 0x4B),
    OpenKey("DTK", 0x4C),
    OpenKey("STKDF07", 0x3C),
    *(OpenKey(f"RK{at + 1}DF07", 0x3D + at) for at in range(3)),
    *(OpenKey(f"UK{at + 1}DF07", 0xB0 + at) for at in range(3)),
    OpenKey("STKDF05", 0xB3),
    OpenKey("UK1DF05", 0xB4),
)
"""A region's table file gives type and factors (card/region.py): nothing here is guessed."""

BY_NAME = {each.name: each for each in KEYS}
OPEN_BY_NAME = {each.name: each for each in OPEN_KEYS}
