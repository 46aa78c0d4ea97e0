"""Bad input: a card that answers anything, legal or not, neither breaks nor holds a dump."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from firmware.apdu import CommandApdu, ResponseApdu
from firmware.card.dump import dump
from firmware.card.dump_table import table
from firmware.card.session import CardSession
from firmware.outcome import Fault, StatusError, TransportError
from tests.bench.dump import Reading, full_card


class Scripted:
    """A card that answers anything at all; counts what it was asked."""

    def __init__(self, answers: list[ResponseApdu]):
        self._answers = answers
        self.asked = 0

    def transmit(self, command: CommandApdu) -> ResponseApdu:
        self.asked += 1
        return self._answers[self.asked % len(self._answers)]


ANSWERS = st.lists(
    st.builds(
        ResponseApdu,
        st.binary(max_size=256),
        st.sampled_from((0x9000, 0x9000, 0x6A82, 0x6A83, 0x6982, 0x6CFF, 0x6C00, 0x6B00, 0x6F00)),
    ),
    min_size=1,
    max_size=12,
)


class AfterSelect(Scripted):
    """Its environment can be selected; then anything."""

    def transmit(self, command: CommandApdu) -> ResponseApdu:
        if command.ins == 0xA4:
            self.asked += 1
            return ResponseApdu(bytes.fromhex(FCI), 0x9000)
        return super().transmit(command)


FCI = "6F1C840F7378312E73682EC9E7BBE1B1A3D5CFA50988011E9F0C03860103"


@settings(deadline=None, max_examples=60)
@given(ANSWERS, st.sampled_from([Scripted, AfterSelect]))
@example([ResponseApdu(b"", 0x9000)], AfterSelect)
def test_a_card_that_answers_anything_neither_breaks_nor_holds_a_dump(answers, kind) -> None:
    """Every exchange is bounded by the tables: no file takes more than its 255 records."""
    card = kind(answers)
    try:
        told = dump(CardSession(card), lambda name: True, pin_verified=True)
    except Fault:
        pass
    else:
        json.dumps(told)
        assert table(told)
    assert card.asked < 45 * 3 * 256 * 3


class Pulled:
    """A card that leaves after so many exchanges."""

    def __init__(self, below: Any, left: int):
        self._below = below
        self._left = left

    def transmit(self, command: CommandApdu) -> ResponseApdu:
        self._left -= 1
        if self._left < 0:
            raise TransportError("the card left", "removed")
        return self._below.transmit(command)


@pytest.mark.parametrize("exchanges", [0, 5, 40])
def test_a_card_pulled_out_ends_the_dump_with_its_fault(exchanges: int) -> None:
    one = Reading(*full_card("2.0"))
    one.session._channel = Pulled(one.session._channel, exchanges)
    with pytest.raises(TransportError):
        one.run()


def test_another_card_is_refused() -> None:
    with pytest.raises(StatusError):
        dump(CardSession(Scripted([ResponseApdu(b"", 0x6A82)])), lambda name: True)
