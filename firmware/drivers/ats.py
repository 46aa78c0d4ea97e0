"""What a contactless card says of itself: the ATS of type A, the ATQB of type B (ISO 14443-3, -4).

As bytes a card made them: anything may stand there.
"""

from __future__ import annotations

from typing import NamedTuple

from firmware.outcome import ProtocolError

CARRIER_HZ = 13_560_000

# FSCI -> the longest frame that the card takes, in bytes (ISO 14443-4 5.2.3); D to F are RFU
_FRAME_SIZES = (16, 24, 32, 40, 48, 64, 96, 128, 256, 512, 1024, 2048, 4096)
_USUAL_FSCI = 2  # without T0
_HAS_TA, _HAS_TB, _HAS_TC = 0x10, 0x20, 0x40
_USUAL_FWI, _RFU_INDEX = 4, 15


class Ats(NamedTuple):
    """frame_size: bytes of the longest frame that the card takes.  rates: TA(1) as it stands.

    waiting_s: the longest that it takes to begin an answer (FWT).  guard_s: what it needs after the
    ATS (SFGT).  takes_nad, takes_cid: of TC(1).
    """

    frame_size: int
    rates: int
    waiting_s: float
    guard_s: float
    takes_nad: bool
    takes_cid: bool
    historical: bytes


def parse(ats: bytes) -> Ats:
    """ats: from TL on, without CRC (ISO 14443-4 5.2).  Raises ProtocolError.

    RFU values are read as the standard tells a reader to: FSCI D to F as C, FWI 15 as 4, SFGI 15
    as 0 (5.2.3, 5.2.5).
    """
    if not ats or ats[0] != len(ats):
        raise ProtocolError("the ATS does not have the length it states")
    t0 = ats[1] if len(ats) > 1 else _USUAL_FSCI
    at = 2
    rates, tb, tc = 0, _USUAL_FWI << 4, 0x02
    if t0 & _HAS_TA:
        rates, at = _byte(ats, at), at + 1
    if t0 & _HAS_TB:
        tb, at = _byte(ats, at), at + 1
    if t0 & _HAS_TC:
        tc, at = _byte(ats, at), at + 1
    fwi, sfgi = tb >> 4, tb & 0x0F
    return Ats(
        frame_size=_FRAME_SIZES[min(t0 & 0x0F, len(_FRAME_SIZES) - 1)],
        rates=rates,
        waiting_s=_time_s(_USUAL_FWI if fwi == _RFU_INDEX else fwi),
        guard_s=0.0 if sfgi in (0, _RFU_INDEX) else _time_s(sfgi),
        takes_nad=bool(tc & 0x01),
        takes_cid=bool(tc & 0x02),
        historical=ats[at:],
    )


def _byte(ats: bytes, at: int) -> int:
    if at >= len(ats):
        raise ProtocolError("the ATS ends before its interface bytes")
    return ats[at]


def _time_s(index: int) -> float:
    """256 * 16 / fc * 2 ** index (ISO 14443-4 5.2.5, 7.2)."""
    return float(256 * 16 / CARRIER_HZ * 2**index)


def pcsc_atr_of_b(atqb: bytes, attrib: bytes) -> bytes:
    """The ATR that PC/SC gives a card of type B (part 3, 3.1.3.2.3.1): it has no ATS.

    atqb: 12 bytes.  attrib: the answer to ATTRIB, b"" allowed.  3B 88 80 01, application data 4,
    protocol info 3, MBLI in the high half of a byte, check byte.
    """
    buffers = attrib[0] & 0xF0 if attrib else 0
    body = bytes((0x88, 0x80, 0x01)) + atqb[5:12] + bytes((buffers,))
    check = 0
    for byte in body:
        check ^= byte
    return b"\x3b" + body + bytes((check,))
