"""The clock rate conversion integer Fi and the baud rate adjustment integer Di.

ISO/IEC 7816-3:2006 8.3, tables 7 and 8: the high half of TA1 (and of PPS1) is a row of FI, the low
half one of DI; what is not here is reserved.
"""

from __future__ import annotations

# high half -> (Fi, highest clock in Hz)
FI = {
    0x0: (372, 4_000_000),
    0x1: (372, 5_000_000),
    0x2: (558, 6_000_000),
    0x3: (744, 8_000_000),
    0x4: (1116, 12_000_000),
    0x5: (1488, 16_000_000),
    0x6: (1860, 20_000_000),
    0x9: (512, 5_000_000),
    0xA: (768, 7_500_000),
    0xB: (1024, 10_000_000),
    0xC: (1536, 15_000_000),
    0xD: (2048, 20_000_000),
}
# low half -> Di
DI = {1: 1, 2: 2, 3: 4, 4: 8, 5: 16, 6: 32, 7: 64, 8: 12, 9: 20}

DEFAULT = 0x11  # Fd = 372, Dd = 1 (8.1): the answer to reset itself, and after it without PPS


def is_defined(fi_di: int) -> bool:
    """Whether both halves of TA1 or PPS1 are rows of the tables."""
    return fi_di >> 4 in FI and fi_di & 0x0F in DI


def integers(fi_di: int) -> tuple[int, int]:
    """(F, D); raises KeyError for a reserved value."""
    return FI[fi_di >> 4][0], DI[fi_di & 0x0F]


def baud(fi_di: int, clock_hz: float) -> float:
    """etu a second (7.1: 1 etu = F / D clocks); raises KeyError for a reserved value."""
    f, d = integers(fi_di)
    return clock_hz * d / f
