"""A contact card on a pseudo-terminal, character by character (ISO/IEC 7816-3:2006).

Written apart from the firmware's driver, to sit opposite it: TS to TCK, PPS, T=0 with procedure
bytes, T=1 by contact_t1.py.  A pty has no RST and no supply, so they come through `lines`; it has a
rate, and a reader at another rate than the card's is not understood.  `ContactFaults` and
contact_t1.Faults make it misbehave.
"""

from __future__ import annotations

import os
import pty
import select
import termios
import threading
import time
import tty
from dataclasses import dataclass, field
from typing import Protocol

from simulator.contact_atr import Nature
from simulator.contact_t1 import BlockCard, Faults

ETU = 12  # of a character with its guard time
# Commands of the social security card and the PSAM whose data come from the card; in all others P3
# bytes come from the reader (SPEC-P5, P7, P9).
_FROM_CARD = {0xB0, 0xB2, 0x84, 0xC0, 0xCA}
_FROM_CARD_B0 = {0x26}


class Chip(Protocol):
    """What thinks: transmit takes T=0 commands, and answers as T=0 does (61xx, 6Cxx)."""

    def power_on(self) -> bytes: ...
    def power_off(self) -> None: ...
    def transmit(self, command: bytes) -> bytes: ...


@dataclass
class ContactFaults:
    """atr: so many characters come, then nothing; -1: all.  atr_instead: other bytes come; both at
    the first `atr_resets` resets, 0: at all.  pps: "silent", "other" rate, "bad_pck", "without"
    PPS1.  nulls: NULLs before each answer, -1 without end.  one_by_one: data are acknowledged byte
    by byte.  procedure: this byte instead of an acknowledgement.  cut: so many characters of an
    answer come.  silent: no answer at all.  garbage: comes before each answer.  character_s: so
    much longer between two characters.
    """

    atr: int = -1
    atr_instead: bytes | None = None
    atr_resets: int = 0
    pps: str = ""
    nulls: int = 0
    one_by_one: bool = False
    procedure: int | None = None
    cut: int | None = None
    silent: bool = False
    garbage: bytes = b""
    character_s: float = 0.0
    blocks: Faults = field(default_factory=Faults)


_INVERTED = bytes(int(f"{each:08b}"[::-1], 2) ^ 0xFF for each in range(256))


class _Stop(Exception):
    """Supply or RST changed, or the end: whatever is under way is over."""


class ContactCard:
    """chip: None is an empty slot.  is_paced: each character takes its time on the line."""

    def __init__(
        self,
        chip: Chip | None,
        nature: Nature | None = None,
        *,
        has_echo: bool = True,
        is_paced: bool = False,
        clock_hz: float = 3_571_200,
    ):
        self.chip = chip
        self.nature = nature or Nature()
        self.faults = ContactFaults()
        self.resets = 0
        self.is_blind = False  # the slot cannot tell whether a card is in it
        self.agreed = 0x11  # F and D, as PPS1 codes them
        self._clock_hz = clock_hz
        self._change_rate(0x11)
        self._has_echo = has_echo
        self._is_paced = is_paced
        self._master, self._slave = pty.openpty()
        tty.setraw(self._slave)
        self.device = os.ttyname(self._slave)
        self._wakes, self._waker = os.pipe()
        self._lock = threading.Lock()
        self._is_on = self._in_reset = False
        self._switched = self._seen = 0  # how often, and what of it the card has noticed
        self._ended = False
        self._due_s = 0.0  # until when the line is busy
        self._thread = threading.Thread(target=self._live, daemon=True)

    def __enter__(self) -> ContactCard:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended = True
        self._wake()
        self._thread.join(5)
        for each in (self._master, self._slave, self._wakes, self._waker):
            os.close(each)

    # -- lines: what a reader switches (shape of the firmware's Lines) -----------------------------

    def has_card(self) -> bool | None:
        return None if self.is_blind else self._is_in()

    def power(self, on: bool) -> None:
        self._switch(on, self._in_reset)

    def reset(self, asserted: bool) -> None:
        self._switch(self._is_on, asserted)

    def _is_in(self) -> bool:
        reach = getattr(self.chip, "is_there", None)
        return self.chip is not None and (reach is None or bool(reach()))

    def _switch(self, is_on: bool, in_reset: bool) -> None:
        with self._lock:
            if self._ended or (is_on, in_reset) == (self._is_on, self._in_reset):
                return
            self._is_on, self._in_reset = is_on, in_reset
            self._switched += 1
        self._wake()

    def _wake(self) -> None:
        os.write(self._waker, b"x")

    # -- the card's life ---------------------------------------------------------------------------

    def _live(self) -> None:
        has_run = False
        while not self._ended:
            try:
                with self._lock:
                    self._seen = self._switched
                    runs = self._is_on and not self._in_reset
                if not (runs and self._is_in()):
                    if has_run and self.chip is not None:
                        self.chip.power_off()
                    has_run = False
                    self._pause(None)
                has_run = True
                self._run()
                self._pause(None)  # mute until the next reset
            except _Stop:
                continue
            except OSError:
                return

    def _run(self) -> None:
        assert self.chip is not None
        self.resets += 1
        self.agreed = 0x11
        self._change_rate(0x11)
        self._due_s = 0.0
        termios.tcflush(self._master, termios.TCIFLUSH)
        answer = self.chip.power_on()
        if not answer:
            return
        faults = self.faults
        raw = self.nature.answer(answer[-13:])
        if not 0 < faults.atr_resets < self.resets:
            raw = raw if faults.atr_instead is None else faults.atr_instead
            raw = raw if faults.atr < 0 else raw[: faults.atr]
        self._pause(800 / self._clock_hz)
        self._write(raw)
        if self.nature.ta2 is not None and not self.nature.ta2 & 0x10:
            self.agreed = self.nature.ta1 or 0x11
            self._change_rate(self.agreed)
        self._serve(self.chip)

    def _serve(self, chip: Chip) -> None:
        """PPS may only be the first; its PPSS FF is neither a CLA nor a NAD."""
        first = self._read(1)
        if first == b"\xff":
            self._pps(first)
            first = self._read(1)
        if self.nature.protocol == 1:
            self._blocks(first, chip)
        while True:
            self._command(first + self._read(4), chip)
            first = self._read(1)

    def _pps(self, begun: bytes) -> None:
        pps0 = self._read(1)
        pps1 = self._read(1) if pps0[0] & 0x10 else b""
        pck = self._read(1)
        total = 0
        for each in begun + pps0 + pps1 + pck:
            total ^= each
        if total or self.faults.pps == "silent":
            self._pause(None)
        response = begun + pps0 + pps1 + pck
        if self.faults.pps == "other":
            response = b"\xff\x10\x13\xfc"
        elif self.faults.pps == "bad_pck":
            response = response[:-1] + bytes([response[-1] ^ 1])
        elif self.faults.pps == "without":
            response = bytes([0xFF, pps0[0] & 0x0F, 0xFF ^ pps0[0] & 0x0F])
            pps1 = b""
        self.agreed = pps1[0] if pps1 else 0x11
        self._write(response)
        self._change_rate(self.agreed)

    @property
    def baud(self) -> int:
        """What was agreed."""
        return round(self._clock_hz / self.nature.divisor(self.agreed))

    def _change_rate(self, fi_di: int) -> None:
        self._etu_s = self.nature.divisor(fi_di) / self._clock_hz

    # -- T=0 ---------------------------------------------------------------------------------------

    def _command(self, header: bytes, chip: Chip) -> None:
        cla, ins, p3 = header[0], header[1], header[4]
        faults = self.faults
        data = b""
        is_from_card = ins in _FROM_CARD or (cla == 0xB0 and ins in _FROM_CARD_B0)
        is_from_card = is_from_card or (cla, ins, header[2]) == (0xB0, 0x56, 0x01)
        if faults.silent:
            self._pause(None)
        if faults.procedure is not None:
            self._write(bytes([faults.procedure]))
            return
        if p3 and not is_from_card:
            if faults.one_by_one:
                for _ in range(p3):
                    self._write(bytes([ins ^ 0xFF]))
                    data += self._read(1)
            else:
                self._write(bytes([ins]))
                data = self._read(p3)
        self._answer(ins, chip.transmit(header + data))

    def _answer(self, ins: int, answer: bytes) -> None:
        if not answer:
            self._pause(None)  # the card is gone
        faults = self.faults
        while faults.nulls < 0:
            self._write(b"\x60")
        data, sw = answer[:-2], answer[-2:]
        out = b"\x60" * faults.nulls
        if faults.one_by_one:
            out += b"".join(bytes([ins ^ 0xFF, each]) for each in data)
        elif data:
            out += bytes([ins]) + data
        out = faults.garbage + out + sw
        self._write(out if faults.cut is None else out[: faults.cut])

    # -- T=1 ---------------------------------------------------------------------------------------

    def _blocks(self, begun: bytes, chip: Chip) -> None:
        card = BlockCard(
            lambda command: _whole(chip, command),
            ifsc=self.nature.ifsc,
            crc=self.nature.crc,
            faults=self.faults.blocks,
        )
        while True:
            block = begun + self._read(2)
            block += self._read(card.length(block) - 3)
            if self.faults.silent:
                self._pause(None)
            self._write(self.faults.garbage + card.receive(block))
            begun = self._read(1)

    # -- the line ----------------------------------------------------------------------------------

    def _read(self, count: int) -> bytes:
        """So many characters at the card's rate, echoed if the line is one wire."""
        found = b""
        while len(found) < count:
            self._pause(None, or_line=True)
            part = os.read(self._master, count - len(found))
            if self._is_paced:
                self._due_s = max(self._due_s, time.perf_counter())
            if self._is_understood():
                self._echo(part)
                found += part.translate(_INVERTED) if self.nature.is_inverse else part
        return found

    def _echo(self, part: bytes) -> None:
        if self._is_paced:
            self._due_s += len(part) * ETU * self._etu_s
            self._pause(self._due_s - time.perf_counter())
        if self._has_echo:
            os.write(self._master, part)

    def _is_understood(self) -> bool:
        """The reader's rate is the card's (standard rates only), and it sends two stop bits."""
        _, _, cflag, _, _, speed, _ = termios.tcgetattr(self._master)
        wanted = getattr(termios, f"B{round(1 / self._etu_s)}", None)
        return bool(cflag & termios.CSTOPB) and (wanted is None or speed == wanted)

    def _write(self, data: bytes) -> None:
        if self.nature.is_inverse:
            data = data.translate(_INVERTED)
        if not self._is_paced and not self.faults.character_s:
            self._pause(0)
            os.write(self._master, data)
            return
        self._due_s = max(self._due_s, time.perf_counter())
        for each in data:
            self._due_s += ETU * self._etu_s + self.faults.character_s
            self._pause(self._due_s - time.perf_counter())
            os.write(self._master, bytes([each]))

    def _pause(self, seconds: float | None, *, or_line: bool = False) -> None:
        """So long, None: without end, or until characters come.  Raises _Stop at a reset."""
        ends_s = None if seconds is None else time.perf_counter() + max(seconds, 0)
        watched = [self._wakes, self._master] if or_line else [self._wakes]
        while True:
            left_s = None if ends_s is None else max(ends_s - time.perf_counter(), 0)
            ready, _, _ = select.select(watched, [], [], left_s)
            if self._wakes not in ready:
                return
            os.read(self._wakes, 100)
            if self._ended or self._switched != self._seen:
                raise _Stop


def _whole(chip: Chip, command: bytes) -> bytes:
    """T=1 carries answers whole: what the chip says in T=0's way is fetched here."""
    answer = chip.transmit(command)
    if answer[-2:-1] == b"\x6c" and len(command) <= 5:
        answer = chip.transmit(command[:4] + answer[-1:])
    data = b""
    for _ in range(8):
        if answer[-2:-1] != b"\x61":
            break
        data += answer[:-2]
        answer = chip.transmit(b"\x00\xc0\x00\x00" + answer[-1:])
    return data + answer
