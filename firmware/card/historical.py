"""Historical bytes of a social security card, from its ATR or ATS (ISO 7816-3 8.2, 14443-4 5.2)."""

from __future__ import annotations

from firmware.outcome import ProtocolError

LENGTH = 13


def historical_bytes(answer: bytes) -> bytes:
    """The 13 historical bytes T1..TD; raises ProtocolError when there are none of that length.

    T6..TD, the last eight, are the card's diversification factor: never taken from tag 01.
    """
    try:
        found = _from_atr(answer) if answer[0] in (0x3B, 0x3F) else _from_ats(answer)
    except IndexError:
        raise ProtocolError("the answer to reset is cut off") from None
    if len(found) != LENGTH:
        raise ProtocolError(f"{len(found)} historical bytes instead of {LENGTH}")
    return found


def _from_atr(atr: bytes) -> bytes:
    count = atr[1] & 0x0F
    at = 1
    while True:  # TD1, TD2, ... chain the interface bytes; the ATR's own length bounds the loop
        indicator = atr[at] >> 4
        width = bin(indicator).count("1")
        if not indicator & 0x8:
            at += width
            break
        at += width
    return atr[at + 1 : at + 1 + count]


def _from_ats(ats: bytes) -> bytes:
    if ats[0] != len(ats):
        raise ProtocolError("the ATS does not have the length it states")
    if ats[0] < 2:
        return b""
    return ats[2 + bin(ats[1] & 0x70).count("1") :]
