"""READ BINARY, UPDATE BINARY on the card's transparent files (SPEC-P5, ISO 7816-4 7.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from firmware.apdu import CommandApdu
from simulator import security
from simulator.chip import Refusal
from simulator.files import Ef
from simulator.filesystem import addressed

if TYPE_CHECKING:
    from simulator.card import SimulatedCard

_BY_SFI = 0x80
_BLANK = b"\xff"  # what was never written reads so


def _file(card: SimulatedCard, command: CommandApdu) -> tuple[Ef, list[bytes], int]:
    """The file that P1P2 speaks of, its one record, the offset; 6981 when it has records."""
    if command.p1 & _BY_SFI:
        if command.p1 & 0x60:
            raise Refusal(0x6A86)
        sfi, offset = command.p1 & 0x1F, command.p2
    else:
        sfi, offset = 0, command.p1 << 8 | command.p2
    ef, stored = addressed(card, sfi)
    if not ef.is_transparent:
        raise Refusal(0x6981)
    return ef, stored, offset


def _content(ef: Ef, stored: list[bytes]) -> bytes:
    return b"".join(stored).ljust(ef.size, _BLANK)


def read_binary(card: SimulatedCard, command: CommandApdu) -> bytes:
    """From the offset on, at most 256 bytes; 6B00 beyond the end."""
    if command.data:
        raise Refusal(0x6700)
    ef, stored, offset = _file(card, command)
    if not card.may(ef.read):
        raise Refusal(0x6982)
    if offset >= ef.size:
        raise Refusal(0x6B00)
    return card.fit(_content(ef, stored)[offset : offset + 256], command.ne, part=True)


def update_binary(card: SimulatedCard, command: CommandApdu) -> bytes:
    """Writes over what is there; CLA 04: with a MAC under the STK of the current DF."""
    ef, stored, offset = _file(card, command)
    if not card.may(ef.write):
        raise Refusal(0x6982)
    data = security.unwrapped(card, command) if command.cla == 0x04 else command.data
    if not data:
        raise Refusal(0x6700)
    if offset >= ef.size:
        raise Refusal(0x6B00)
    if offset + len(data) > ef.size:
        raise Refusal(0x6A84)
    before = _content(ef, stored)
    stored[:] = [before[:offset] + data + before[offset + len(data) :]]
    card.changed()
    return b""
