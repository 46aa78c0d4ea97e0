"""A powered card behind a CCID reader that exchanges TPDUs: its protocol, its rate, its commands.

The reader carries characters and knows parity and waiting times; which protocol and which rate,
T=1's blocks and PPS are the terminal's part (CCID 1.1, 3.2; dwFeatures 00010000).
"""

from __future__ import annotations

import time
from typing import Protocol

from firmware.drivers import ccid, pps, rates
from firmware.drivers.atr import Atr
from firmware.drivers.t1 import T1
from firmware.outcome import Fault, TransportError

PPS_S = 2.0
IFS_S = 4.0
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


class BlockCard:
    """T=1.  A block that the card, or the reader's NAK, asks for again is sent again: its sequence
    number tells the card that it has it."""

    is_block = True

    def __init__(self, link: Link, machine: T1):
        self._link = link
        self._machine = machine

    def announce(self) -> None:
        """Our IFSD of 254, before the first command.  Raises TransportError."""
        self._talk(self._machine.announce(), IFS_S)
        if self._machine.failure is not None:
            raise TransportError(f"T=1 did not begin: {self._machine.failure}", "silent")

    def exchange(self, command: bytes, deadline_s: float) -> bytes:
        if not self._machine.is_over or self._machine.state == "dead":
            raise TransportError("T=1 is out of step: the card needs a reset", "silent")
        self._talk(self._machine.begin(command), deadline_s)
        if self._machine.answer is None:
            raise TransportError(f"T=1 brought no answer: {self._machine.failure}", "silent")
        return self._machine.answer

    def _talk(self, block: bytes, deadline_s: float) -> None:
        """Until the machine is content; the machine bounds the blocks, the deadline their time."""
        end = time.monotonic() + deadline_s
        while block:
            wait = self._machine.waiting if self._machine.waiting > 1 else 0
            try:
                answer = self._link.transfer(block, end - time.monotonic(), wait, True)
            except TransportError as fault:
                if fault.kind != "silent" or time.monotonic() >= end:
                    raise
                block = self._machine.silence()
            else:
                block = self._machine.received(answer)


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
    if choice.protocol == 0:
        return RawCard(link, is_block=False)
    card = BlockCard(link, T1(atr.ifsc, has_crc=atr.has_crc))
    card.announce()
    return card


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
