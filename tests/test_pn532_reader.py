"""Issue 6.3: `pn532:` on a serial line and on I2C: cards that come, talk, join and leave.

The serial line is a real pty; the I2C bus is an object with smbus2's own messages, no real bus.
"""

from __future__ import annotations

import random
import time

import pytest

from firmware.drivers import pn532_reader
from firmware.outcome import ProtocolError, TransportError
from tests.pn532_rig import (
    ATS,
    DIAGNOSE,
    OK,
    READ,
    Bench,
    Tag,
    kind_of,
    on_a_line,
    on_hsu_with_its_tag,
    patient,
)
from tests.waiting import SOON_S

on_a_busy_machine = pytest.fixture(autouse=True)(patient)
bench = pytest.fixture(params=["hsu", "i2c"])(on_a_line)
hsu = pytest.fixture(on_hsu_with_its_tag)


def test_a_card_comes_is_activated_answers_and_leaves(bench: Bench) -> None:
    reader = bench.reader
    assert reader.cards_in_reach() == 0
    assert kind_of(reader.power_on) == "removed"
    bench.slot.insert(bench.tag)
    assert reader.cards_in_reach() == 1
    assert reader.power_on() == ATS
    assert reader.is_block_protocol
    bench.tag.answer = bytes(range(256)) + OK
    assert reader.exchange(READ, SOON_S) == bench.tag.answer
    assert reader.cards_in_reach() == 1
    reader.power_off()
    assert kind_of(reader.exchange, READ, SOON_S) == "removed"
    assert reader.cards_in_reach() == 1
    bench.slot.remove()
    assert reader.cards_in_reach() == 0


def test_each_power_on_is_a_cold_reset_of_the_field(hsu: Bench) -> None:
    hsu.reader.cards_in_reach()
    for _ in range(2):
        hsu.chip.commands.clear()
        hsu.reader.power_on()
        assert hsu.chip.commands[:2] == [b"\x32\x01\x00", b"\x32\x01\x01"]


def test_the_chip_is_set_up_before_its_first_use(hsu: Bench) -> None:
    hsu.reader.cards_in_reach()
    assert hsu.codes()[:5] == [0x14, 0x02, 0x12, 0x32, 0x32]
    assert hsu.chip.commands[4].hex() == "3205ff0101"  # few tries: a poll must end soon


def test_a_card_that_lies_there_is_asked_without_a_reset(hsu: Bench) -> None:
    hsu.reader.cards_in_reach()
    hsu.chip.commands.clear()
    for _ in range(3):
        assert hsu.reader.cards_in_reach() == 1
    assert hsu.codes() == [DIAGNOSE] * 3


def test_a_second_card_that_joins_is_seen(hsu: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pn532_reader, "RELIST_S", 0.05)
    assert hsu.reader.cards_in_reach() == 1
    hsu.slot.insert(Tag("another"))
    time.sleep(0.06)
    assert hsu.reader.cards_in_reach() == 2
    with pytest.raises(TransportError, match="2 cards"):
        hsu.reader.power_on()
    assert hsu.tag.seen == []


def test_two_cards_lying_there_stay_two(hsu: Bench) -> None:
    hsu.slot.insert(Tag("another"))
    assert [hsu.reader.cards_in_reach() for _ in range(3)] == [2, 2, 2]


def test_a_card_exchanged_between_two_looks_is_seen_to_leave(hsu: Bench) -> None:
    assert hsu.reader.cards_in_reach() == 1
    hsu.slot.remove()
    hsu.slot.insert(Tag("another"))
    assert [hsu.reader.cards_in_reach() for _ in range(2)] == [0, 1]


def test_waiting_ends_with_a_change_or_its_time(hsu: Bench) -> None:
    hsu.reader.cards_in_reach()
    start = time.monotonic()
    hsu.reader.wait_change(0.25)
    assert 0.2 < time.monotonic() - start < SOON_S / 2
    hsu.slot.remove()
    start = time.monotonic()
    hsu.reader.wait_change(SOON_S)
    assert time.monotonic() - start < SOON_S / 2


def test_a_command_and_an_answer_longer_than_a_frame_are_chained(bench: Bench) -> None:
    """7.3.8: the MI bit both ways; the card sees one command, the terminal one answer."""
    bench.slot.insert(bench.tag)
    bench.tag.answer = bytes(random.Random(1).randbytes(1000)) + OK
    bench.reader.power_on()
    command = random.Random(2).randbytes(600)
    bench.chip.commands.clear()
    assert bench.reader.exchange(command, 2.0) == bench.tag.answer
    assert bench.tag.seen == [command]
    assert [each[1] for each in bench.chip.commands] == [0x41, 0x41, 0x01, 0x01, 0x01, 0x01]


def test_a_card_without_14443_4_is_counted_and_refused() -> None:
    plain = Bench("hsu", plain=True)
    plain.slot.insert(plain.tag)
    try:
        assert plain.reader.cards_in_reach() == 1
        with pytest.raises(ProtocolError, match="14443-4"):
            plain.reader.power_on()
    finally:
        plain.stop()


def test_a_card_of_type_b_talks() -> None:
    b = Bench("i2c", "B")
    b.slot.insert(b.tag)
    assert b.reader.cards_in_reach() == 1
    assert b.reader.power_on().hex().startswith("3b888001")
    assert b.reader.exchange(READ, SOON_S) == OK
    b.slot.remove()
    assert b.reader.cards_in_reach() == 0
