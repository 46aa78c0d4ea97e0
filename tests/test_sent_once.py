"""What moves money reaches a card or the PSAM once, whatever it answers (issue D; SPEC-P5)."""

from __future__ import annotations

import pytest

from firmware.apdu import CommandApdu
from firmware.channel import open_channel

ONCE = {
    "DEBIT": CommandApdu(0xB0, 0x2C, 1, 0, bytes(15), 8),
    "CREDIT": CommandApdu(0xB0, 0x2A, 0, 0, bytes(11), 4),
    "CREDIT SAM": CommandApdu(0x80, 0x72, 0, 0, bytes(4)),
    "VERIFY": CommandApdu(0x00, 0x20, 0, 0, bytes(3)),
}


class Slot:
    """A T=0 card that gives the same answer to everything but GET RESPONSE."""

    name = "slot"
    is_block_protocol = False

    def __init__(self, answer: str):
        self.answer = bytes.fromhex(answer)
        self.came: list[bytes] = []

    def exchange(self, command: bytes, deadline_s: float) -> bytes:
        self.came.append(command)
        return b"\x90\x00" if command[1] == 0xC0 else self.answer


@pytest.mark.parametrize("answer", ["6C08", "6C00", "6104", "9000", "6F00"])
@pytest.mark.parametrize("name", ONCE)
def test_it_is_sent_once(name: str, answer: str) -> None:
    slot = Slot(answer)
    open_channel(slot, 1.0).transmit(ONCE[name])  # type: ignore[arg-type]
    assert [each[1] for each in slot.came if each[1] != 0xC0] == [ONCE[name].ins]


def test_anything_else_is_asked_again_with_the_length_the_card_wants() -> None:
    slot = Slot("6C08")
    open_channel(slot, 1.0).transmit(CommandApdu(0x00, 0x84, 0, 0, ne=256))  # type: ignore[arg-type]
    assert [each[4] for each in slot.came] == [0, 8]
