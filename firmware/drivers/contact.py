"""One powered contact card on a line of characters: answer to reset, PPS, then T=0 or T=1.

The machines (atr, pps, t0, t1) decide; here their bytes travel and their times pass.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from firmware.drivers import atr as answers
from firmware.drivers import pps, rates, t0, t1, t1_block
from firmware.drivers.atr import Atr
from firmware.drivers.characters import ETU, LATENCY_S, Characters, DamagedCharacter
from firmware.drivers.pps import Choice
from firmware.drivers.t0 import T0
from firmware.drivers.t1 import T1
from firmware.outcome import ProtocolError

# 8.1, SPEC-P8: first character, between characters, the whole answer.
_FIRST_CLOCKS, _NEXT_ETU, _WHOLE_ETU = 40_000, 9_600, 19_200
# Long enough for a TCK that must not be there (its guard time and some more).
_SURPLUS_ETU = 30
# Between the last character of the card and our first, leading edge to leading edge (7.2, 11.4.3).
_TURN_T0_ETU, _TURN_T1_ETU = 16, 22
_SLICE_S = 0.05  # how often a wait looks whether the card is still there
_INVERSE_TS = b"\x03"  # 3F as it stands on the line, first bit lowest
_AT_ONCE = 512
_ANNOUNCE_S = 5.0  # for S(IFS request), whatever BWT a card wants for its commands


class Silence(Exception):
    """Nothing came in time."""


class Contact:
    """From one reset to the next.

    bauds: what the UART can do.  watch: called during waits; raises TransportError when the card
    has left.  is_usable: False once only a reset helps.
    Beside TransportError the methods raise DamagedCharacter, ProtocolError and Silence.
    """

    def __init__(
        self,
        characters: Characters,
        clock_hz: float,
        bauds: tuple[int, ...],
        watch: Callable[[], None],
    ):
        self._characters = characters
        self._clock_hz = clock_hz
        self._bauds = bauds
        self._watch = watch
        self._guard_etu = 0
        self._wait_s = 0.0  # T=0
        self._block_wait_s = self._character_wait_s = 0.0  # T=1
        self._t1 = T1()
        self.protocol = 0
        self.is_usable = True

    # -- from reset to protocol ------------------------------------------------------------------

    def answer_to_reset(self) -> Atr:
        """Read and parsed; the card was released from reset a moment ago."""
        line = self._characters
        raw = line.first(_FIRST_CLOCKS / self._clock_hz + LATENCY_S)
        if not raw:
            raise Silence("no answer to reset")
        if raw == _INVERSE_TS:
            line.set_inverse()
            raw = bytes((answers.INVERSE,))
        ends_s = time.monotonic() + _WHOLE_ETU * line.etu_s + LATENCY_S
        if raw[0] in (answers.DIRECT, answers.INVERSE):
            raw += self._rest_of_answer(raw, ends_s)
        line.check_parity()
        return answers.parse(raw)

    def _rest_of_answer(self, begun: bytes, ends_s: float) -> bytes:
        raw = begun
        etu_s = self._characters.etu_s
        while (count := answers.missing(raw)) and len(raw) <= answers.LONGEST:
            part = self._receive(count, ends_s, _NEXT_ETU * etu_s + LATENCY_S)
            if not part:
                return raw[len(begun) :]  # parse() names what did not come
            raw += part
        raw += self._receive(1, ends_s + _SURPLUS_ETU * etu_s, _SURPLUS_ETU * etu_s)
        return raw[len(begun) :]

    def start(self, atr: Atr, *, with_pps: bool) -> None:
        """Rate and protocol; with_pps: as fast as both can, else as the card began."""
        # 8.3: 255 is the shortest that the protocol allows; two stop bits are enough for both.
        self._guard_etu = 0 if atr.extra_guard == 255 else atr.extra_guard
        choice = pps.choose(atr, self._clock_hz, self._bauds)
        if pps.is_needed(atr, choice):
            if with_pps:
                choice = self._select(choice)
            elif atr.protocols[0] == choice.protocol:
                choice = Choice(choice.protocol, rates.DEFAULT)
            else:
                raise ProtocolError(f"the card takes no PPS to T={choice.protocol}")
        if choice.fi_di != rates.DEFAULT:
            self._characters.set_rate(round(rates.baud(choice.fi_di, self._clock_hz)))
        self.protocol = choice.protocol
        self._wait_s = t0.wait_s(atr.wi, atr.fi, self._clock_hz)
        etu_s = self._characters.etu_s
        self._block_wait_s = t1.block_wait_s(atr.bwi, self._clock_hz, etu_s)
        self._character_wait_s = t1.character_wait_s(atr.cwi, etu_s)
        if self.protocol == 1:
            self._t1 = T1(atr.ifsc, has_crc=atr.has_crc)
            self._carry(self._t1.announce(), time.monotonic() + _ANNOUNCE_S)
            if self._t1.failure is not None:
                raise Silence(self._t1.failure)

    def _select(self, choice: Choice) -> Choice:
        line = self._characters
        asked = pps.request(choice)
        self._turn(_TURN_T0_ETU)
        line.send(asked, self._guard_etu)
        wait_s = (_NEXT_ETU + len(asked) * ETU) * line.etu_s + LATENCY_S
        ends_s = time.monotonic() + 2 * wait_s
        response = b""
        while count := pps.missing(response):
            part = self._receive(count, ends_s, wait_s)
            if not part:
                raise Silence("no answer to PPS")
            response += part
        return pps.agreed(choice, response)

    # -- exchanges -------------------------------------------------------------------------------

    def exchange(self, command: bytes, deadline_s: float) -> bytes:
        """One TPDU (T=0) or APDU (T=1) and its answer; it goes to the card once."""
        ends_s = time.monotonic() + deadline_s
        try:
            if self.protocol == 1:
                return self._exchange_t1(command, ends_s)
            return self._exchange_t0(command, ends_s)
        except BaseException:
            # T=1 that resynchronised is in step again; everything else needs a reset.
            self.is_usable = self.protocol == 1 and self._t1.state == t1.IDLE
            raise

    def _exchange_t0(self, command: bytes, ends_s: float) -> bytes:
        machine = T0()
        try:
            out = machine.begin(command)
        except ValueError as error:
            raise ProtocolError(str(error)) from None
        while machine.answer is None:
            wait_s = self._wait_s + LATENCY_S
            if out:
                self._turn(_TURN_T0_ETU)
                self._characters.send(out, self._guard_etu)
                wait_s += len(out) * ETU * self._characters.etu_s
            part = self._receive(_AT_ONCE, ends_s, wait_s)
            if not part:
                raise Silence("no answer within the time")
            out = machine.received(part)
        return machine.answer

    def _exchange_t1(self, command: bytes, ends_s: float) -> bytes:
        machine = self._t1
        self._carry(machine.begin(command), ends_s)
        if machine.answer is None:
            raise Silence(machine.failure or "no answer")
        return machine.answer

    def _carry(self, out: bytes, ends_s: float) -> None:
        """Blocks to the card and back until the machine is through."""
        machine, line = self._t1, self._characters
        while not machine.is_over:
            self._turn(_TURN_T1_ETU)
            sent_s = len(out) * ETU * line.etu_s
            try:
                line.send(out, self._guard_etu)
                raw = self._block(self._block_wait_s * machine.waiting + sent_s, ends_s)
            except DamagedCharacter:
                raw = b"\x00"  # no block: the machine asks again
                self._quiet(ends_s)
            if time.monotonic() >= ends_s:
                raise Silence("no answer within the time")
            out = machine.received(raw) if raw else machine.silence()

    def _block(self, wait_s: float, ends_s: float) -> bytes:
        """A block, or what came of it."""
        raw = b""
        while count := t1_block.missing(raw, has_crc=self._t1.has_crc):
            part = self._receive(count, ends_s, wait_s + LATENCY_S)
            if not part:
                break
            raw += part
            wait_s = self._character_wait_s
        return raw

    # -- time ------------------------------------------------------------------------------------

    def _turn(self, etu: int) -> None:
        """The line changes direction: whatever still comes is no answer to what we send now."""
        time.sleep((etu - ETU) * self._characters.etu_s)
        self._characters.discard()

    def _quiet(self, ends_s: float) -> None:
        """Let the card finish what it is saying: two at once would damage the next block too."""
        wait_s = self._character_wait_s + LATENCY_S
        for _ in range(t1_block.LONGEST):
            try:
                if not self._receive(_AT_ONCE, ends_s, wait_s):
                    return
            except DamagedCharacter:
                continue

    def _receive(self, maximum: int, ends_s: float, wait_s: float) -> bytes:
        """Characters, or b"" when wait_s or the deadline is over."""
        ends_s = min(ends_s, time.monotonic() + wait_s)
        while True:
            left_s = max(ends_s - time.monotonic(), 0)
            part = self._characters.receive(maximum, min(left_s, _SLICE_S))
            if part or left_s <= _SLICE_S:
                return part
            self._watch()
