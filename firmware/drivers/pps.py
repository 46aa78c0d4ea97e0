"""Protocol and parameters selection: the fastest rate that card and reader share.

ISO/IEC 7816-3:2006 9.  Bytes in, bytes out; the reader sends them, and resets the card when it
falls silent or answers wrongly.
"""

from __future__ import annotations

from dataclasses import dataclass

from firmware.drivers import rates
from firmware.drivers.atr import Atr
from firmware.outcome import ProtocolError

_PPSS = 0xFF
_PPS1_FOLLOWS, _PPS2_FOLLOWS, _PPS3_FOLLOWS = 0x10, 0x20, 0x40
# How far a UART's rate may be off: 8 data bits and parity must still be met in their middle.
_TOLERANCE = 0.01


@dataclass(frozen=True)
class Choice:
    """protocol: 0 or 1.  fi_di: as PPS1 codes it; 11 is 372/1."""

    protocol: int
    fi_di: int


def choose(atr: Atr, clock_hz: float, bauds: tuple[int, ...]) -> Choice:
    """What to ask of this card: its first protocol that we speak, at the fastest rate both allow.

    bauds: the rates of the reader's UART.  A card in specific mode (TA2) chooses itself.
    Raises ProtocolError when it speaks neither T=0 nor T=1, or at a rate the reader has not.
    """
    if atr.specific is not None:
        return _specific(atr, clock_hz, bauds)
    protocol = next((each for each in atr.protocols if each in (0, 1)), None)
    if protocol is None:
        offered = ", ".join(f"T={each}" for each in atr.protocols)
        raise ProtocolError(f"the card speaks {offered}, neither T=0 nor T=1")
    allowed = [each for each in _allowed(atr) if _fits(each, clock_hz, bauds)]
    best = max(allowed, key=lambda each: _rank(each, atr, clock_hz), default=rates.DEFAULT)
    if rates.baud(best, clock_hz) <= rates.baud(rates.DEFAULT, clock_hz):
        best = rates.DEFAULT
    return Choice(protocol, best)


def _specific(atr: Atr, clock_hz: float, bauds: tuple[int, ...]) -> Choice:
    assert atr.specific is not None
    if atr.specific.is_implicit:
        raise ProtocolError("the card is in specific mode at a rate it does not name (TA2)")
    if atr.specific.protocol not in (0, 1):
        raise ProtocolError(f"the card is in specific mode with T={atr.specific.protocol} (TA2)")
    if not _fits(atr.fi_di, clock_hz, bauds):
        raise ProtocolError(f"the reader has not the rate of TA1 {atr.fi_di:02X} that TA2 imposes")
    return Choice(atr.specific.protocol, atr.fi_di)


def is_needed(atr: Atr, choice: Choice) -> bool:
    """9.1: without PPS the first protocol offered is in force, at 372/1."""
    if atr.specific is not None:
        return False
    return choice != Choice(atr.protocols[0], rates.DEFAULT)


def request(choice: Choice) -> bytes:
    """PPSS, PPS0, PPS1 where the rate is not 372/1, PCK (9.2): 3 or 4 bytes."""
    if choice.fi_di == rates.DEFAULT:
        return _checked(bytes((_PPSS, choice.protocol)))
    return _checked(bytes((_PPSS, _PPS1_FOLLOWS | choice.protocol, choice.fi_di)))


def missing(begun: bytes) -> int:
    """How many bytes of a response are sure to follow; 0 when it is whole."""
    if len(begun) < 2:
        return 3 - len(begun)
    more = sum(bool(begun[1] & bit) for bit in (_PPS1_FOLLOWS, _PPS2_FOLLOWS, _PPS3_FOLLOWS))
    return max(3 + more - len(begun), 0)


def agreed(asked: Choice, response: bytes) -> Choice:
    """What is in force after this response (9.3): what was asked, or 372/1 where PPS1 is left out.

    Raises ProtocolError for any other response: the card must be reset.
    """
    echo = request(asked)
    if response == echo:
        return asked
    if response == _checked(bytes((_PPSS, asked.protocol))):
        return Choice(asked.protocol, rates.DEFAULT)
    raise ProtocolError(f"the card answered the PPS {echo.hex()} with {response[:8].hex()}")


def _allowed(atr: Atr) -> list[int]:
    """Every rate from 372/1 to TA1: F of Fd..Fi, D of Dd..Di (9.1); none where TA1 is reserved."""
    if not rates.is_defined(atr.fi_di):
        return []
    return [
        high << 4 | low
        for high, (f, _) in rates.FI.items()
        for low, d in rates.DI.items()
        if f <= atr.fi and d <= atr.di
    ]


def _rank(fi_di: int, atr: Atr, clock_hz: float) -> tuple[int, bool, bool, int]:
    """The fastest; of those equally fast what TA1 itself names, then the row of its F."""
    speed = round(rates.baud(fi_di, clock_hz))
    return speed, fi_di == atr.fi_di, fi_di >> 4 == atr.fi_di >> 4, fi_di


def _fits(fi_di: int, clock_hz: float, bauds: tuple[int, ...]) -> bool:
    """Whether the clock is no faster than F allows, and the UART has the rate."""
    if clock_hz > rates.FI[fi_di >> 4][1]:
        return False
    exact = rates.baud(fi_di, clock_hz)
    return any(abs(baud - exact) <= exact * _TOLERANCE for baud in bauds)


def _checked(body: bytes) -> bytes:
    """With PCK: the exclusive-or of all is 00 (9.2)."""
    check = 0
    for each in body:
        check ^= each
    return body + bytes((check,))
