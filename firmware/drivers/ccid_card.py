"""A powered card behind a CCID reader that exchanges TPDUs: its protocol, its rate, its commands.

The reader carries characters and knows parity and waiting times; which protocol and which rate,
T=1's blocks and PPS are the terminal's part (CCID 1.1, 3.2; dwFeatures 00010000).
"""

from __future__ import annotations

from typing import Protocol

from firmware.drivers import ccid, pps, rates
from firmware.drivers.atr import Atr
from firmware.outcome import Fault, TransportError

PPS_S = 2.0
# B0 2A and B0 2C move a card's money, 80 72 is the PSAM's part in it: once at most, whatever the
# reader says (docs/architecture.md, "One purchase").
_ONCE = {(0xB0, 0x2A), (0xB0, 0x2C), (0x80, 0x72)}


class RateRefused(Fault):
    """The card, or its reader, did not follow to a faster rate: reset it and stay at 372/1."""


class Link(Protocol):
    """What a reader does for the card in one of its slots; both raise TransportError."""

    def transfer(self, data: bytes, deadline_s: float, wait: int, may_repeat: bool) -> bytes:
        """data to the card, its answer.  wait: bBWI, 0 but after S(WTX).  may_repeat: as in
        CcidWire.ask."""

    def set_parameters(self, protocol: int, parameters: bytes) -> bool:
        """protocol: 0 or 1.  Whether the reader took them."""


class Card(Protocol):
    """is_block: APDUs travel whole."""

    @property
    def is_block(self) -> bool: ...
    def exchange(self, command: bytes, deadline_s: float) -> bytes: ...


class RawCard:
    """What goes to the reader is what came from above: a TPDU of T=0, or an APDU."""

    def __init__(self, link: Link, is_block: bool):
        self._link = link
        self.is_block = is_block

    def exchange(self, command: bytes, deadline_s: float) -> bytes:
        return self._link.transfer(command, deadline_s, 0, (command[0], command[1]) not in _ONCE)


def open_card(link: Link, atr: Atr, choice: pps.Choice, makes_pps: bool) -> Card:
    """Agree on protocol and rate.  makes_pps: the reader runs the PPS when it is told the rate.

    Raises RateRefused, TransportError.
    """
    if pps.is_needed(atr, choice) and not makes_pps:
        choice = _agree(link, choice)
    if not link.set_parameters(choice.protocol, _parameters(atr, choice)):
        if choice.fi_di != rates.DEFAULT:
            raise RateRefused(f"the reader does not follow to {choice.fi_di:02X}")
        raise TransportError(f"the reader does not take the parameters of T={choice.protocol}")
    return RawCard(link, is_block=False)


def _agree(link: Link, choice: pps.Choice) -> pps.Choice:
    try:
        return pps.agreed(choice, link.transfer(pps.request(choice), PPS_S, 0, True))
    except Fault as fault:
        if isinstance(fault, TransportError) and fault.kind != "silent":
            raise
        raise RateRefused(fault.what) from None


def _parameters(atr: Atr, choice: pps.Choice) -> bytes:
    if choice.protocol == 0:
        return ccid.parameters_t0(choice.fi_di, atr.is_inverse, atr.extra_guard, atr.wi)
    waiting = atr.bwi << 4 | atr.cwi
    return ccid.parameters_t1(
        choice.fi_di, atr.is_inverse, atr.has_crc, atr.extra_guard, waiting, atr.ifsc
    )
