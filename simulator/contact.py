"""A contact card on a pseudo-terminal, character by character (ISO/IEC 7816-3:2006).

Written apart from the firmware's driver, to sit opposite it: TS to TCK, PPS, T=0 with procedure
bytes; T=1 by contact_t1.py, the wires by contact_line.py.  `ContactFaults` and contact_t1.Faults
make it misbehave.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Protocol

from simulator.contact_atr import Nature
from simulator.contact_line import ContactLine, Stop
from simulator.contact_t1 import BlockCard, Faults

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
        self.line = ContactLine(
            has_echo=has_echo, is_paced=is_paced, is_inverse=self.nature.is_inverse
        )
        self.device = self.line.device
        self._thread = threading.Thread(target=self._live, daemon=True)

    def __enter__(self) -> ContactCard:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.line.end()
        self._thread.join(5)
        self.line.close()

    # -- what a reader switches and sees: the shape of the firmware's Lines ------------------------

    def has_card(self) -> bool | None:
        return None if self.is_blind else self._is_in()

    def power(self, on: bool) -> None:
        self.line.power(on)

    def reset(self, asserted: bool) -> None:
        self.line.reset(asserted)

    def _is_in(self) -> bool:
        reach = getattr(self.chip, "is_there", None)
        return self.chip is not None and (reach is None or bool(reach()))

    # -- the card's life ---------------------------------------------------------------------------

    def _live(self) -> None:
        has_run = False
        while not self.line.has_ended:
            try:
                if not (self.line.runs() and self._is_in()):
                    if has_run and self.chip is not None:
                        self.chip.power_off()
                    has_run = False
                    self.line.pause(None)
                has_run = True
                self._run()
                self.line.pause(None)  # mute until the next reset
            except Stop:
                continue
            except OSError:
                return

    def _run(self) -> None:
        assert self.chip is not None
        self.resets += 1
        self.agreed = 0x11
        self._change_rate(0x11)
        self.line.begin()
        answer = self.chip.power_on()
        if not answer:
            return
        faults = self.faults
        raw = self.nature.answer(answer[-13:])
        if not 0 < faults.atr_resets < self.resets:
            raw = raw if faults.atr_instead is None else faults.atr_instead
            raw = raw if faults.atr < 0 else raw[: faults.atr]
        self.line.pause(800 / self._clock_hz)
        self._say(raw)
        if self.nature.ta2 is not None and not self.nature.ta2 & 0x10:
            self.agreed = self.nature.ta1 or 0x11
            self._change_rate(self.agreed)
        self._serve(self.chip)

    def _serve(self, chip: Chip) -> None:
        """PPS may only be the first; its PPSS FF is neither a CLA nor a NAD."""
        first = self.line.read(1)
        if first == b"\xff":
            self._pps(first)
            first = self.line.read(1)
        if self.nature.protocol == 1:
            self._blocks(first, chip)
        while True:
            self._command(first + self.line.read(4), chip)
            first = self.line.read(1)

    def _pps(self, begun: bytes) -> None:
        pps0 = self.line.read(1)
        pps1 = self.line.read(1) if pps0[0] & 0x10 else b""
        pck = self.line.read(1)
        total = 0
        for each in begun + pps0 + pps1 + pck:
            total ^= each
        if total or self.faults.pps == "silent":
            self.line.pause(None)
        response = begun + pps0 + pps1 + pck
        if self.faults.pps == "other":
            response = b"\xff\x10\x13\xfc"
        elif self.faults.pps == "bad_pck":
            response = response[:-1] + bytes([response[-1] ^ 1])
        elif self.faults.pps == "without":
            response = bytes([0xFF, pps0[0] & 0x0F, 0xFF ^ pps0[0] & 0x0F])
            pps1 = b""
        self.agreed = pps1[0] if pps1 else 0x11
        self._say(response)
        self._change_rate(self.agreed)

    @property
    def baud(self) -> int:
        """What was agreed."""
        return round(self._clock_hz / self.nature.divisor(self.agreed))

    def _change_rate(self, fi_di: int) -> None:
        self.line.etu_s = self.nature.divisor(fi_di) / self._clock_hz

    def _say(self, data: bytes) -> None:
        self.line.write(data, self.faults.character_s)

    # -- T=0 ---------------------------------------------------------------------------------------

    def _command(self, header: bytes, chip: Chip) -> None:
        cla, ins, p3 = header[0], header[1], header[4]
        faults = self.faults
        data = b""
        is_from_card = ins in _FROM_CARD or (cla == 0xB0 and ins in _FROM_CARD_B0)
        is_from_card = is_from_card or (cla, ins, header[2]) == (0xB0, 0x56, 0x01)
        if faults.silent:
            self.line.pause(None)
        if faults.procedure is not None:
            self._say(bytes([faults.procedure]))
            return
        if p3 and not is_from_card:
            if faults.one_by_one:
                for _ in range(p3):
                    self._say(bytes([ins ^ 0xFF]))
                    data += self.line.read(1)
            else:
                self._say(bytes([ins]))
                data = self.line.read(p3)
        self._answer(ins, chip.transmit(header + data))

    def _answer(self, ins: int, answer: bytes) -> None:
        if not answer:
            self.line.pause(None)  # the card is gone
        faults = self.faults
        while faults.nulls < 0:
            self._say(b"\x60")
        data, sw = answer[:-2], answer[-2:]
        out = b"\x60" * faults.nulls
        if faults.one_by_one:
            out += b"".join(bytes([ins ^ 0xFF, each]) for each in data)
        elif data:
            out += bytes([ins]) + data
        out = faults.garbage + out + sw
        self._say(out if faults.cut is None else out[: faults.cut])

    # -- T=1 ---------------------------------------------------------------------------------------

    def _blocks(self, begun: bytes, chip: Chip) -> None:
        card = BlockCard(
            lambda command: _whole(chip, command),
            ifsc=self.nature.ifsc,
            crc=self.nature.crc,
            faults=self.faults.blocks,
        )
        while True:
            block = begun + self.line.read(2)
            block += self.line.read(card.length(block) - 3)
            if self.faults.silent:
                self.line.pause(None)
            self._say(self.faults.garbage + card.receive(block))
            begun = self.line.read(1)


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
