"""`ccid:DEVICE[#SLOT][?MODEL]`: one slot of a CCID reader on a serial line.

SLOT counts from 0, the default.  MODEL says what no message tells: who makes T=0 or T=1 of an APDU
and who changes the rate ("gempc" is the default).  Two addresses with one DEVICE share its line, as
a reader for the card and the PSAM has.
"""

from __future__ import annotations

import contextlib
import re
import time
from typing import NamedTuple

from firmware.drivers import atr, ccid, pps, rates
from firmware.drivers.ccid_card import Card, RateRefused, RawCard, open_card
from firmware.drivers.ccid_wire import CcidWire, shared_wire
from firmware.outcome import Fault, TransportError

STATUS_S = 1.0
# An ATR takes 19,200 etu at most, 2 s at 3.57 MHz, and the reader waits a second for its start.
POWER_ON_S = 4.0
# A reader need not tell that a card came or went: so often it is asked.
LOOK_S = 0.3
_LISTEN_S = 0.1
_BUSY_S = 0.1

_ADDRESS = re.compile(r"(?P<device>[^#?]+)(#(?P<slot>[0-3]))?(\?(?P<model>[a-z0-9]+))?")


class Model(NamedTuple):
    """is_apdu: the reader takes whole APDUs.  makes_pps: it changes the rate with its parameters.

    clock_hz: of the card.  max_baud: of the card's line, dwMaxDataRate.
    """

    is_apdu: bool
    makes_pps: bool
    clock_hz: float
    max_baud: float


MODELS = {
    # GemPC Twin, GemCore: dwFeatures 00010230
    "gempc": Model(is_apdu=False, makes_pps=False, clock_hz=4_000_000, max_baud=344_086),
    # Microchip SEC1210: dwFeatures 000100B2
    "sec1210": Model(is_apdu=False, makes_pps=True, clock_hz=4_800_000, max_baud=826_000),
    # any reader of the short APDU level: the rate is its own affair
    "apdu": Model(is_apdu=True, makes_pps=True, clock_hz=4_000_000, max_baud=0),
}


def open_ccid(rest: str) -> CcidReader:
    """Raises ValueError for an address that is none; the device itself is opened at first use."""
    found = _ADDRESS.fullmatch(rest)
    model = MODELS.get(found["model"] or "gempc") if found else None
    if found is None or model is None:
        raise ValueError(
            f"'ccid:{rest}' is no address: write ccid:DEVICE, #SLOT (0 to 3) and ?MODEL "
            f"({', '.join(MODELS)}) after it where needed, as in 'ccid:/dev/ttyAMA0#1?sec1210'"
        )
    return CcidReader(shared_wire(found["device"]), int(found["slot"] or 0), model)


class CcidReader:
    """Implements channel.Reader; used by one thread at a time."""

    def __init__(self, wire: CcidWire, slot: int, model: Model):
        self.name = f"ccid:{wire.device}#{slot}"
        self._wire = wire
        wire.join()
        self._is_open = True
        self._slot = slot
        self._model = model
        self._card: Card | None = None
        self._opening = 0  # of the line, at which the card got its power
        self._seen = 0
        self._was_present: bool | None = None

    def cards_in_reach(self) -> int:
        self._seen = self._wire.changes(self._slot)
        self._was_present = self._is_present()
        return int(self._was_present)

    def wait_change(self, timeout_s: float) -> None:
        """A card that came or went since cards_in_reach() counts, also one exchanged meanwhile."""
        end = time.monotonic() + timeout_s
        look_at = 0.0
        while (now := time.monotonic()) < end:
            if self._wire.changes(self._slot) != self._seen:
                return
            if now >= look_at:
                if self._has_changed():
                    return
                look_at = now + LOOK_S
            self._wire.listen(min(_LISTEN_S, end - time.monotonic()))

    def power_on(self) -> bytes:
        """Raises ProtocolError too, for an ATR that breaks ISO 7816-3; a card that cannot be used
        has no power then."""
        answer, opening = self._cold_reset()
        try:
            if self._model.is_apdu:
                self._card = RawCard(self, is_block=True)
            else:
                opening = self._agree(answer, opening)
        except Fault:
            self.power_off()
            raise
        self._opening = opening
        return answer

    def _agree(self, answer: bytes, opening: int) -> int:
        """On protocol and rate, by a second reset where the faster one is refused; the opening of
        the line at which the last one was."""
        found = atr.parse(answer)
        choice = pps.choose(found, self._model.clock_hz, _bauds(self._model))
        try:
            self._card = open_card(self, found, choice, self._model.makes_pps)
        except RateRefused:
            again, opening = self._cold_reset()
            choice = pps.Choice(choice.protocol, rates.DEFAULT)
            self._card = open_card(self, atr.parse(again), choice, self._model.makes_pps)
        return opening

    def power_off(self) -> None:
        """A slot that is still busy with an abandoned command is waited for, STATUS_S at most."""
        self._card = None
        end = time.monotonic() + STATUS_S
        with contextlib.suppress(TransportError):  # whoever needs the reader next is told
            while _is_busy(self._wire.ask(ccid.ICC_POWER_OFF, self._slot, STATUS_S)):
                if time.monotonic() + _BUSY_S >= end:
                    return
                time.sleep(_BUSY_S)

    @property
    def is_block_protocol(self) -> bool:
        return self._card is not None and self._card.is_block

    def exchange(self, command: bytes, deadline_s: float) -> bytes:
        if self._card is None:
            raise TransportError(f"the card in {self.name} has no power", "removed")
        if self._opening != self._wire.openings:
            self._card = None
            raise TransportError(f"the reader {self.name} was away; the card lost its power")
        return self._card.exchange(command, deadline_s)

    def close(self) -> None:
        """Twice is once.  The line stays open while another slot uses it."""
        if self._is_open:
            self.power_off()
            self._is_open = False
            self._wire.leave()

    # --- what ccid_card.Link wants

    def transfer(self, data: bytes, deadline_s: float, wait: int, may_repeat: bool) -> bytes:
        answer = self._wire.ask(
            ccid.XFR_BLOCK, self._slot, deadline_s, bytes((wait, 0, 0)), data, may_repeat
        )
        if answer.outcome == ccid.PROCESSED:
            if answer.last:
                raise TransportError(f"{self.name}: an answer in pieces that nobody asked for")
            return answer.data
        raise self._failure(answer)

    def set_parameters(self, protocol: int, parameters: bytes) -> bool:
        answer = self._wire.ask(
            ccid.SET_PARAMETERS, self._slot, STATUS_S, bytes((protocol, 0, 0)), parameters
        )
        return answer.outcome == ccid.PROCESSED

    # --- inside

    def _status(self) -> ccid.Answer:
        answer = self._wire.ask(ccid.GET_SLOT_STATUS, self._slot, STATUS_S)
        if answer.outcome == ccid.FAILED and answer.error == ccid.NO_SUCH_SLOT:
            raise TransportError(f"{self.name}: {answer.why()}; correct board.toml")
        return answer

    def _is_present(self) -> bool:
        return self._status().icc != ccid.ICC_ABSENT

    def _has_changed(self) -> bool:
        """Another card has no power where ours had it."""
        answer = self._status()
        if answer.icc == ccid.ICC_INACTIVE and self._card is not None:
            self._card = None
            return True
        return (answer.icc != ccid.ICC_ABSENT) != self._was_present

    def _cold_reset(self) -> tuple[bytes, int]:
        """The ATR, and the opening of the line at which it came.

        From the highest class of supply down, since no reader here chooses itself.
        """
        self.power_off()
        end = time.monotonic() + POWER_ON_S
        why = ""
        for volts in ccid.CLASSES:
            answer = self._power(volts, end)
            if answer.outcome == ccid.PROCESSED:
                if not 2 <= len(answer.data) <= 33:
                    raise TransportError(f"{self.name}: an ATR of {len(answer.data)} bytes")
                return answer.data, self._wire.openings
            if answer.icc == ccid.ICC_ABSENT:
                raise TransportError(f"no card in {self.name}", "removed")
            why = answer.why()
            if answer.error in (ccid.NO_SUCH_SLOT, ccid.NOT_SUPPORTED):
                raise TransportError(f"{self.name}: {why}; correct board.toml")
        raise TransportError(f"no answer to reset in {self.name}: {why}", "silent")

    def _power(self, volts: int, end: float) -> ccid.Answer:
        """One attempt; a slot that is still busy with an abandoned command is waited for."""
        while True:
            left = max(end - time.monotonic(), _BUSY_S)
            answer = self._wire.ask(ccid.ICC_POWER_ON, self._slot, left, bytes((volts, 0, 0)))
            if not _is_busy(answer) or time.monotonic() + _BUSY_S >= end:
                return answer
            time.sleep(_BUSY_S)

    def _failure(self, answer: ccid.Answer) -> TransportError:
        """A card that is being pulled looks mute at first: ask whether it is still there."""
        is_gone = answer.icc != ccid.ICC_ACTIVE
        if not is_gone and answer.error == ccid.ICC_MUTE:
            is_gone = not self._is_present()
        if is_gone:
            self._card = None
            return TransportError(f"the card left {self.name}", "removed")
        is_readers = answer.error in (ccid.HW_ERROR, ccid.NOT_SUPPORTED)
        return TransportError(f"{self.name}: {answer.why()}", "reader" if is_readers else "silent")


def _is_busy(answer: ccid.Answer) -> bool:
    return answer.outcome == ccid.FAILED and answer.error == ccid.SLOT_BUSY


def _bauds(model: Model) -> tuple[int, ...]:
    """The rates of ISO 7816-3 at the reader's clock, as far as it goes."""
    every = {
        round(rates.baud(high << 4 | low, model.clock_hz)) for high in rates.FI for low in rates.DI
    }
    return tuple(sorted(each for each in every if each <= model.max_baud))
