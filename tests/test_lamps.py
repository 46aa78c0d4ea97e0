"""Lamps and buzzer show what is on the screen, and never hold it up (issue D items 4 to 6)."""

from __future__ import annotations

import threading
import time

import pytest

from firmware.display import signs
from firmware.display.lamps import BLINK_S, CARD_LAMP, ERROR_LAMP, ON, Buzzer, Lamp
from firmware.display.screen import Display
from firmware.display.tones import tune
from tests.waiting import SOON_S, until


class FakeSwitch:
    def __init__(self) -> None:
        self.set_to: list[bool] = []
        self.is_broken = False

    def set(self, is_on: bool) -> None:
        if self.is_broken:
            raise OSError("no such chip")
        self.set_to.append(is_on)


class FakeSounder:
    def __init__(self) -> None:
        self.heard: list[int] = []

    def start(self, hertz: int) -> None:
        self.heard.append(hertz)

    def stop(self) -> None:
        self.heard.append(0)


def test_every_sign_has_a_state_of_each_lamp():
    assert set(CARD_LAMP) == set(ERROR_LAMP) == set(signs.ALL)


def test_the_card_lamp_is_lit_exactly_while_the_card_must_stay():
    lit = {sign for sign, state in CARD_LAMP.items() if state == ON}
    assert lit == {signs.READING, signs.PIN, signs.WORKING}


def test_the_lamps_follow_the_screen():
    card, error = FakeSwitch(), FakeSwitch()
    lamps = [Lamp("card", card, CARD_LAMP), Lamp("error", error, ERROR_LAMP)]
    display = Display(lamps)
    for message_id, is_card_lit, is_error_lit in (
        ("READY", False, False),
        ("READING_CARD", True, False),
        ("ENTER_PIN", True, False),
        ("WORKING_LEAVE_CARD", True, False),
        ("APPROVED", False, False),
        ("READER_MISSING", False, True),
        ("READY", False, False),
    ):
        count = len(card.set_to)
        display.show(message_id, tries_left="3", amount="1.00", order_no="1")
        until(lambda: len(card.set_to) > count)  # noqa: B023
        until(lambda: len(error.set_to) == len(card.set_to))
        assert (card.set_to[-1], error.set_to[-1]) == (is_card_lit, is_error_lit), message_id
    for each in lamps:
        each.close()


def test_a_wanted_card_makes_the_lamp_blink_until_it_is_there():
    card = FakeSwitch()
    lamp = Lamp("card", card, CARD_LAMP)
    display = Display([lamp])
    display.show("INSERT_CARD", amount="1.00")
    until(lambda: card.set_to[:3] == [True, False, True])
    display.show("READING_CARD")

    def is_steady() -> bool:
        count = len(card.set_to)
        time.sleep(1.5 * BLINK_S)
        return len(card.set_to) == count

    until(is_steady, lambda: "it blinks on")
    assert card.set_to[-1] is True
    lamp.close()


def test_a_screen_never_waits_for_a_lamp_that_hangs():
    free = threading.Event()

    class Hanging(FakeSwitch):
        def set(self, is_on: bool) -> None:
            free.wait(SOON_S)
            super().set(is_on)

    switch = Hanging()
    lamp = Lamp("card", switch, CARD_LAMP)
    display = Display([lamp])
    began = time.monotonic()
    for _ in range(1000):
        display.show("READING_CARD")
    display.show("READY")
    assert time.monotonic() - began < SOON_S / 2
    free.set()
    until(lambda: switch.set_to != [] and switch.set_to[-1] is False)
    assert len(switch.set_to) <= 5, "old messages are dropped"
    lamp.close()


def test_a_chip_that_is_gone_is_told_and_tried_again():
    card = FakeSwitch()
    lamp = Lamp("card", card, CARD_LAMP)
    display = Display([lamp])
    card.is_broken = True
    display.show("READY")
    until(lambda: lamp._fault is not None)
    display.show("READING_CARD")
    assert "no such chip" in display.faults["Lamp"]
    card.is_broken = False
    display.show("READY")
    display.show("READING_CARD")
    until(lambda: card.set_to != [] and card.set_to[-1])
    lamp.close()


def test_stars_and_seconds_make_no_sound():
    sounder = FakeSounder()
    buzzer = Buzzer(sounder, is_quiet=False, wait=lambda seconds: None)
    display = Display([buzzer])
    display.show("ENTER_PIN", tries_left="3")
    for stars in range(6):
        display.typed(stars, 20.0 - stars)
    buzzer.close()
    assert len(sounder.heard) == 2 * len(tune(signs.PIN, None))


@pytest.mark.parametrize(
    ("message_id", "number"), [("APPROVED", 1), ("PIN_WRONG", 201), ("PSAM_MISSING", 301)]
)
def test_the_buzzer_plays_the_tune_of_the_message(message_id, number):
    sounder, waited = FakeSounder(), []
    buzzer = Buzzer(sounder, is_quiet=False, wait=waited.append)
    Display([buzzer]).show(message_id, tries_left="2", amount="1.00")
    buzzer.close()
    beats = tune(signs.SIGNS[message_id], number)
    assert sounder.heard == [each for beat in beats for each in (beat.hertz, 0)]
    assert waited == [ms / 1000 for beat in beats for ms in (beat.on_ms, beat.off_ms)]


def test_a_buzzer_that_breaks_in_the_middle_of_a_tone_is_silenced():
    sounder = FakeSounder()

    def wait(seconds: float) -> None:
        raise OSError("cut short")

    buzzer = Buzzer(sounder, is_quiet=False, wait=wait)
    Display([buzzer]).show("READY")
    buzzer.close()
    assert sounder.heard[-1] == 0
