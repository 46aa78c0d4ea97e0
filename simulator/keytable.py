"""The keys of the card and the PSAM (SPEC-P9 annex B, with usages as two provinces install them).

A key's level is data: the number of factors in its usage byte says which root the PSAM holds.
Where the sources leave a reference or a usage open, the row is marked: there it is this simulated
region's choice, as it is a real region's.
"""

from __future__ import annotations

from dataclasses import dataclass

FACTORS = {"nation": 3, "province": 2, "city": 1}

# A card's transaction keys come in versions; the PSAM keeps version v of DPK under id v.  The ids
# of the other keys' further versions are not published: those keys exist once.
VERSIONED = ("DPK", "DLK", "DTK")
VERSIONS = (1, 2, 3)


@dataclass(frozen=True)
class KeyRow:
    """df: where it lies in the card.  reference: P2 of EXTERNAL AUTHENTICATE, None = never so used.

    usage, key_id: P1, P2 of the PSAM's DELIVERY SESSION KEY, None = not in a terminal's PSAM.
    """

    name: str
    df: str
    reference: int | None
    usage: int | None
    key_id: int | None

    @property
    def type(self) -> int:
        """2 purchase, 6 MAC, 7 encrypt, 8 MAC and encrypt."""
        return (self.usage or 0) & 0x1F

    @property
    def is_in_psam(self) -> bool:
        return self.usage is not None and self.key_id is not None


def _write_keys(df: str, first: int, references: str, usages: str) -> list[KeyRow]:
    pairs = [bytes.fromhex(each) for each in usages.split()]
    return [
        KeyRow(f"UK{first + at:X}{df}", df, reference, usage, key_id)
        for at, (reference, (usage, key_id)) in enumerate(
            zip(bytes.fromhex(references), pairs, strict=True)
        )
    ]


KEYS: tuple[KeyRow, ...] = (
    KeyRow("IRK", "SSSE", None, 0x67, 0x08),
    KeyRow("STKSSSE", "SSSE", None, 0x48, 0x09),
    KeyRow("UKSSSE", "SSSE", 0x04, 0x48, 0x12),
    KeyRow("BK", "SSSE", 0x05, 0x48, 0x11),  # usage open
    KeyRow("PUK", "SSSE", 0x06, 0x48, 0x10),
    KeyRow("RKSSSE", "SSSE", 0x0A, 0x67, 0x0A),
    KeyRow("RK1DF01", "DF01", 0x88, 0x67, 0x2E),
    *_write_keys("DF01", 1, "838485868789", "4842 4843 4724 4725 4844 472F"),
    *_write_keys("DF01", 7, "8A8B8C8D8E", "4730 4731 4732 4733 4734"),  # open but for the ids
    KeyRow("STKDF01", "DF01", None, 0x26, 0x20),
    KeyRow("RK1DF02", "DF02", 0x88, 0x67, 0x35),
    *_write_keys("DF02", 1, "838485868789", "4726 4845 4846 4727 4728 4736"),
    KeyRow("STKDF02", "DF02", None, 0x26, 0x21),
    KeyRow("RK1DF03", "DF03", 0x84, 0x67, 0x2B),
    KeyRow("RK2DF03", "DF03", 0x85, 0x67, 0x2C),
    *_write_keys("DF03", 1, "868788898A8B8C8D", "4847 4729 4848 4737 4738 4739 473A 473B"),
    KeyRow("LKDF03", "DF03", 0x83, 0x48, 0x40),  # usage open
    KeyRow("STKDF03", "DF03", None, 0x26, 0x22),
    KeyRow("RK1DF04", "DF04", 0x84, 0x67, 0x2D),
    *_write_keys("DF04", 1, "8586", "4849 472A"),
    KeyRow("LKDF04", "DF04", 0x83, 0x48, 0x41),  # usage open
    KeyRow("STKDF04", "DF04", None, 0x26, 0x23),
    KeyRow("DSK", "DF04", 0x87, 0x48, 0x4A),  # reference and usage open
    KeyRow("DPK", "DF04", None, 0x22, 0x01),
    KeyRow("DLK", "DF04", None, None, None),
    KeyRow("DTK", "DF04", None, None, None),
    # DF07, DF05: the ids are published, references and usages open.  DF06: everything open.
    KeyRow("STKDF07", "DF07", None, 0x26, 0x3C),
    KeyRow("RK1DF07", "DF07", 0x84, 0x67, 0x3D),
    KeyRow("RK2DF07", "DF07", 0x85, 0x67, 0x3E),
    KeyRow("RK3DF07", "DF07", 0x86, 0x67, 0x3F),
    *_write_keys("DF07", 1, "878889", "27B0 27B1 27B2"),
    KeyRow("STKDF05", "DF05", None, 0x26, 0xB3),
    KeyRow("UK1DF05", "DF05", 0x83, 0x27, 0xB4),
    KeyRow("RK1DF06", "DF06", 0x84, None, None),
    KeyRow("UK1DF06", "DF06", 0x85, None, None),
    KeyRow("UK2DF06", "DF06", 0x86, None, None),
)

BY_REFERENCE = {(row.df, row.reference): row for row in KEYS if row.reference is not None}


def factors_needed(row: KeyRow, kept_levels: str) -> int:
    """How many diversification factors the PSAM needs for this key: 1, 2 or 3.

    kept_levels: "nation", "province" or "city" for one root level throughout, or "mixed": read keys
    at national, write keys at provincial, purchase keys at city level, as two provinces do it.
    """
    return FACTORS.get(kept_levels, (row.usage or 0) >> 5)
