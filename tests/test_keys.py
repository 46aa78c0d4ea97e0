"""Confirm and cancel beside the screen, and what board.toml makes of pins (issue D item 5)."""

from __future__ import annotations

import pytest

from firmware import board as boards
from firmware import parts
from firmware.authorize.jobs import Jobs
from firmware.authorize.service import ServiceCall
from firmware.display.lamps import Buzzer, Lamp
from firmware.drivers.gpio import Pins
from firmware.drivers.keys import CANCEL, CONFIRM, Keys
from firmware.outcome import outcome
from tests.fake_gpio import FakeGpio
from tests.rig import BOARD
from tests.waiting import until

CONFIRM_PIN, CANCEL_PIN = 5, 6
TIMEOUT_S = 3.0


@pytest.fixture
def library():
    return FakeGpio()


@pytest.fixture
def keys(library):
    pins = Pins(lambda: library)
    made = Keys(pins, CONFIRM_PIN, CANCEL_PIN)
    made.look()
    yield made
    pins.close()


def press(library: FakeGpio, keys: Keys, pin: int) -> str | None:
    library.drive(pin, 0)
    found = keys.get(TIMEOUT_S)
    library.drive(pin, 1)
    return found


def test_presses_come_one_after_another(library, keys):
    assert press(library, keys, CONFIRM_PIN) == CONFIRM
    assert press(library, keys, CANCEL_PIN) == CANCEL
    assert keys.get(0.1) is None


def test_cancel_is_told_at_once_and_confirm_is_not(library, keys):
    told = []
    keys.when_cancelled = lambda: bool(told.append(1))
    press(library, keys, CONFIRM_PIN)
    assert told == []
    press(library, keys, CANCEL_PIN)
    assert told == [1]


def test_one_press_of_cancel_ends_one_job_and_not_the_next(library, keys):
    jobs = Jobs()
    keys.when_cancelled = jobs.cancel_at_unit
    first, second = (ServiceCall("balance"), ServiceCall("balance"))
    assert jobs.submit(first)
    assert jobs.submit(second)
    running = jobs.take()
    library.drive(CANCEL_PIN, 0)
    until(lambda: running.is_cancelled)
    jobs.end(outcome("CANCELLED"), {})
    jobs.take()
    assert keys.get(0.1) is None, "or whoever waits for its card next is cancelled too"


def test_a_press_of_cancel_between_jobs_is_for_whoever_asks(library, keys):
    keys.when_cancelled = Jobs().cancel_at_unit
    assert press(library, keys, CANCEL_PIN) == CANCEL


def test_a_key_that_nobody_asked_takes_no_memory(keys):
    heard = keys._listener(CONFIRM)
    for _ in range(1000):
        heard(False)
    assert keys._presses.qsize() == 8
    keys.clear()
    assert keys.get(0) is None


def test_a_chip_that_comes_late_is_heard_from_then_on():
    library = FakeGpio()
    library.is_broken = True
    pins = Pins(lambda: library)
    keys = Keys(pins, CONFIRM_PIN, None)
    with pytest.raises(OSError, match="no such chip"):
        keys.look()
    library.is_broken = False
    keys.look()
    assert press(library, keys, CONFIRM_PIN) == CONFIRM
    pins.close()


def board_with(lines: str) -> boards.Board:
    return boards.parse(BOARD + lines, "/unit/board.toml")


def test_a_part_absent_from_the_board_is_absent_from_the_unit():
    board = board_with("")
    pins = parts.header(board)
    assert parts.keys(board, pins) is None
    assert parts.signals(board, pins) == []
    pins.close()


def test_pin_zero_is_a_lamp_and_a_key():
    board = board_with("[pins]\ncard_led = 0\nconfirm_key = 1\nbuzzer = 2\nerror_led = 3\n")
    pins = parts.header(board)
    assert parts.keys(board, pins) is not None
    found = parts.signals(board, pins)
    assert [type(each) for each in found] == [Lamp, Lamp, Buzzer]
    for each in found:
        each.close()
    pins.close()


def test_a_look_at_the_pins_says_what_they_do(library):
    board = board_with(
        "[pins]\ncard_led = 17\nbuzzer = 22\nconfirm_key = 5\ncancel_key = 6\ntamper = 23\n"
    )
    library.levels |= {5: 0, 6: 1, 17: 1, 23: 0}
    pins = Pins(lambda: library)
    assert parts.pins_told(board, pins) == (
        "card_led and buzzer on for 0.4 s, confirm_key is held down, the case is shut"
    )
    assert library.levels[17] == 0
    assert [hertz > 0 for _, hertz in library.tones] == [True, False]
    library.is_broken = True
    with pytest.raises(OSError, match="no such chip"):
        parts.pins_told(board, pins)
    pins.close()
