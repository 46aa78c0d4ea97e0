"""Which PSAM key serves which purpose: key id and type (SPEC-P9, annex B and two provinces).

The number of diversification factors is not written down here as a fact but as the place to start:
a PSAM may hold national, provincial or city roots, and `PsamSession.probe` finds out.
"""

from __future__ import annotations

from typing import NamedTuple

from firmware.psam.commands import TYPE_ENCRYPT


class PsamKey(NamedTuple):
    name: str
    key_id: int
    key_type: int
    usual_factors: int


IRK = PsamKey("IRK", 0x08, TYPE_ENCRYPT, 3)  # card is genuine
RKSSSE = PsamKey("RKSSSE", 0x0A, TYPE_ENCRYPT, 3)  # read EF06 on a 3.0 card
RK1DF04 = PsamKey("RK1DF04", 0x2D, TYPE_ENCRYPT, 3)  # read DF04/EF06
UK2DF04 = PsamKey("UK2DF04", 0x2A, TYPE_ENCRYPT, 2)  # write DF04/EF06

KEYS = (IRK, RKSSSE, RK1DF04, UK2DF04)
