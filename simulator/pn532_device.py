"""A PN532 with simulated cards in its field; pn532_lines.py has the two lines it may be on.

Written from NXP's manual UM0701-02, independently of the firmware's driver.  What a real chip does
wrong now and then happens here on order: `misbehave`.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from firmware.outcome import TransportError
from simulator.slot import Card, SimulatedSlot

ACK, NACK = b"\x00\x00\xff\x00\xff\x00", b"\x00\x00\xff\xff\x00\x00"
SYNTAX = b"\x00\x00\xff\x01\xff\x7f\x81\x00"

# How a command goes wrong.  All but "no_ack" and "refuse" reach the card.
NO_ACK = "no_ack"  # the chip did not hear it
REFUSE = "refuse"  # it sends NACK, which no chip should
NO_ANSWER = "no_answer"  # ACK, then nothing until it is aborted
LOST_ACK = "lost_ack"  # the answer without its ACK
TWIN = "twin"  # the answer before comes once more, ahead of the ACK
BAD_CHECKSUM = "bad_checksum"  # once; NACK fetches the good one
HALF = "half"  # the frame stops in the middle; NACK fetches it whole
NOISE = "noise"  # bytes before and between the frames
STATUS = "status"  # the error code in `status` instead of an answer
LEAVE = "leave"  # every card leaves the field before it
_CHUNK = 262
_FIELD, _TIMEOUT, _NOT_SELECTED = 0x01, 0x01, 0x27


@dataclass(frozen=True)
class Misdeed:
    """The nth command with this code (None: any) goes wrong once."""

    how: str
    code: int | None = None
    nth: int = 1
    status: int = 0


def _wrap(body: bytes) -> bytes:
    size = len(body)
    head = (
        bytes((size, 256 - size & 255))
        if size < 256
        else b"\xff\xff"
        + size.to_bytes(2, "big")
        + bytes((256 - (size >> 8) - (size & 255) & 255,))
    )
    return b"\x00\x00\xff" + head + body + bytes((256 - sum(body) & 255, 0))


class Pn532:
    """The chip: bytes from the host in, frames to the host out.

    kind: of every card in the slot, "A" or "B".  plain: they speak no ISO 14443-4 (type A only).
    """

    def __init__(self, slot: SimulatedSlot, kind: str = "A", *, plain: bool = False):
        self.commands: list[bytes] = []  # every one that was taken, from its code on
        self._slot = slot
        self._kind = kind
        self._plain = plain
        self._held = b""
        self.is_awake = False
        self._misdeeds: list[list[Any]] = []
        self._last = b""
        self._field = False
        self._targets: list[Card] = []  # that the chip knows by a number
        self._busy: list[Card] = []  # active or halted: deaf to a poll until the field was off
        self._chained_in = self._chained_out = b""

    def misbehave(self, misdeed: Misdeed) -> None:
        self._misdeeds.append([misdeed, misdeed.nth])

    def sleep(self) -> None:
        """As after a power cut of the chip: no field, no card, deaf until it is woken."""
        self.is_awake = False
        self._switch_field(False)

    def take(self, data: bytes) -> list[bytes]:
        """What the host wrote; the frames that follow from it."""
        if not self.is_awake:
            if b"\x55" not in data:
                return []
            self.is_awake = True
        self._held = (self._held + data)[-4096:]
        out: list[bytes] = []
        while (body := self._next()) is not None:
            out += self._served(body)
        return out

    # -- frames

    def _next(self) -> bytes | None:
        """The body of the next frame from the host, b"A" and b"N" for ACK and NACK."""
        while (at := self._held.find(b"\x00\xff")) >= 0:
            rest = self._held[at + 2 :]
            if len(rest) < 3:
                return None
            if rest[:2] in (b"\x00\xff", b"\xff\x00"):
                self._held = rest[2:]
                return b"A" if rest[0] == 0 else b"N"
            skip, size = (
                (5, int.from_bytes(rest[2:4], "big")) if rest[:2] == b"\xff\xff" else (2, 0)
            )
            size = size or rest[0]
            if len(rest) < skip + size + 1:
                return None
            body, check = rest[skip : skip + size], rest[skip + size]
            self._held = rest[skip + size + 1 :]
            if (sum(body) + check) & 255 == 0 and body[:1] == b"\xd4" and size >= 2:
                return body
        self._held = self._held[-1:]
        return None

    def _served(self, body: bytes) -> list[bytes]:
        if body == b"N":
            return [self._last]
        if body == b"A":
            return []  # nothing runs on in here that could be aborted
        misdeed = self._due(body[1])
        how = misdeed.how if misdeed else ""
        if how == NO_ACK:
            return []
        if how == REFUSE:
            return [NACK]
        if how == LEAVE:
            self._slot.remove()
        self.commands.append(body[1:])
        if how == STATUS and misdeed is not None:
            answer: bytes | None = bytes((misdeed.status,))
        else:
            answer = self._execute(body[1], body[2:])
        if answer is None:
            self._last = SYNTAX
            return [ACK, SYNTAX]
        before = self._last
        good = self._last = _wrap(bytes((0xD5, body[1] + 1)) + answer)
        if how == NO_ANSWER:
            return [ACK]
        if how == LOST_ACK:
            return [good]
        if how == TWIN:
            return [before, ACK, good]
        if how == BAD_CHECKSUM:
            return [ACK, good[:-2] + bytes((good[-2] ^ 0x10, 0))]
        if how == HALF:
            return [ACK, good[: len(good) // 2]]
        if how == NOISE:
            return [b"\x80\x00\xffz\x00" + ACK, b"\x00\xff\x03\x03" + good]
        return [ACK, good]

    def _due(self, code: int) -> Misdeed | None:
        for entry in self._misdeeds:
            if entry[0].code in (None, code):
                entry[1] -= 1
                if entry[1] == 0:
                    self._misdeeds.remove(entry)
                    return entry[0]  # type: ignore[no-any-return]
        return None

    # -- commands

    def _execute(self, code: int, data: bytes) -> bytes | None:
        """The answer's data; None: a syntax error."""
        if code == 0x02:
            return b"\x32\x01\x06\x07"
        if code in (0x12, 0x14):
            return b""
        if code == 0x32:
            if data[:1] == b"\x01":
                self._switch_field(bool(data[1] & _FIELD))
            return b""
        if code == 0x00 and data == b"\x06":
            is_there = bool(self._targets) and self._targets[0] in self._slot.cards
            return b"\x00" if is_there and not self._plain else bytes((_TIMEOUT,))
        if code == 0x4A:
            return self._list(data)
        if code == 0x40:
            return self._exchange(data)
        if code == 0x52:
            self._targets = []
            return b"\x00"
        return None

    def _switch_field(self, on: bool) -> None:
        self._field = on
        if not on:
            self._targets, self._busy = [], []
            self._slot.power_off()

    def _list(self, data: bytes) -> bytes:
        self._field, self._targets = True, []
        wanted = "A" if data[1] == 0 else "B"
        cards = [each for each in self._slot.cards if each not in self._busy][: data[0]]
        if wanted != self._kind or not cards:
            return b"\x00"
        out = bytes((len(cards),))
        for number, card in enumerate(cards, 1):
            try:
                alone = len(self._slot.cards) == 1
                ats = self._slot.power_on() if alone else card.power_on()
            except TransportError:
                return b"\x00"
            out += bytes((number,)) + self._said(card, ats)
        self._targets, self._busy = cards, self._busy + cards
        return out

    def _said(self, card: Card, ats: bytes) -> bytes:
        dice = hashlib.sha256(card.label.encode()).digest()
        if self._kind == "B":
            return b"\x50" + dice[:4] + b"SSC3" + b"\x00\x81\x81" + b"\x01\x00"
        uid = b"\x04" + dice[:6]
        return (
            b"\x00\x44"
            + (b"\x08" if self._plain else b"\x20")
            + bytes((7,))
            + uid
            + (b"" if self._plain else ats)
        )

    def _exchange(self, data: bytes) -> bytes:
        number, more = data[0] & 0x3F, data[0] & 0x40
        if not 1 <= number <= len(self._targets):
            return bytes((_NOT_SELECTED,))
        if self._chained_out and len(data) == 1:
            return self._part(self._chained_out)
        if more:
            self._chained_in += data[1:]
            return b"\x00"
        command, self._chained_in = self._chained_in + data[1:], b""
        try:
            if len(self._slot.cards) > 1:
                return self._part(self._targets[number - 1].transmit(command))
            return self._part(self._slot.exchange(command))
        except TransportError:
            self._targets = []
            return bytes((_TIMEOUT,))

    def _part(self, answer: bytes) -> bytes:
        self._chained_out = answer[_CHUNK:]
        return (b"\x40" if self._chained_out else b"\x00") + answer[:_CHUNK]
