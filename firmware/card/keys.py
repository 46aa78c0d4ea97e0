"""The keys of the card by name: reference in EXTERNAL AUTHENTICATE, purpose (SPEC-P9 annex B).

Bit 8 of a reference says "a key of the current DF" (SPEC-P5).  None: no source states it, it is the
region's own (region.py), or the key never authenticates.  The PSAM's side is psam/keytable.py.
"""

from __future__ import annotations

from typing import NamedTuple


class CardKey(NamedTuple):
    name: str
    df: str
    reference: int | None
    purpose: str


def _numbered(df: str, kind: str, references: str, purpose: str) -> tuple[CardKey, ...]:
    """RK1DFnn, RK2DFnn, ... with their references in hex, "--" where none is stated."""
    return tuple(
        CardKey(f"{kind}{at:X}{df}", df, None if each == "--" else int(each, 16), purpose)
        for at, each in enumerate(references.split(), 1)
    )


KEYS = (
    CardKey("IRK", "SSSE", 0x00, "internal authentication"),
    CardKey("STKSSSE", "SSSE", 0x02, "secure messaging for PIN and block"),
    CardKey("UKSSSE", "SSSE", 0x04, "write EF05 and EF06"),
    CardKey("BK", "SSSE", 0x05, "card block"),
    CardKey("PUK", "SSSE", 0x06, "unblock and reload the PIN"),
    CardKey("RKSSSE", "SSSE", 0x0A, "read EF06 (3.0), EF07, EF08"),
    CardKey("STKDF01", "DF01", 0x82, "secure messaging"),
    *_numbered("DF01", "RK", "88", "read"),
    *_numbered("DF01", "UK", "83 84 85 86 87 89 -- -- -- -- --", "write"),
    CardKey("STKDF02", "DF02", 0x82, "secure messaging"),
    *_numbered("DF02", "RK", "88", "read"),
    *_numbered("DF02", "UK", "83 84 85 86 87 89", "write"),
    CardKey("STKDF03", "DF03", 0x82, "secure messaging"),
    CardKey("LKDF03", "DF03", 0x83, "application block"),
    *_numbered("DF03", "RK", "84 85", "read"),
    *_numbered("DF03", "UK", "86 87 88 89 8A 8B 8C 8D", "write"),
    CardKey("STKDF04", "DF04", 0x82, "secure messaging"),
    CardKey("LKDF04", "DF04", 0x83, "application block"),
    *_numbered("DF04", "RK", "84", "read"),
    *_numbered("DF04", "UK", "85 86", "write"),
    CardKey("DPK", "DF04", None, "purchase"),
    CardKey("DLK", "DF04", None, "load"),
    CardKey("DTK", "DF04", None, "TAC"),
    CardKey("DSK", "DF04", None, "starting day"),
    CardKey("STKDF05", "DF05", None, "secure messaging"),
    *_numbered("DF05", "UK", "--", "write"),
    *_numbered("DF06", "RK", "--", "read"),
    CardKey("STKDF07", "DF07", None, "secure messaging"),
    *_numbered("DF07", "RK", "-- -- --", "read"),
    *_numbered("DF07", "UK", "-- -- --", "write"),
)
"""The order is that of SPEC-P9.  UK7DF01..UKBDF01 write the reserved files."""

BY_NAME = {each.name: each for each in KEYS}
