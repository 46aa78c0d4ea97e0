"""M1: digits from a pad become a Pin, or the outcome that says why there is none."""

import pytest

from firmware.drivers.pad import Pad
from firmware.secret import Pin


class Keys:
    def __init__(self, answer):
        self.answer = answer

    def digits(self, timeout_s, cancelled):
        self.asked = (timeout_s, cancelled)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def read(answer):
    return Pad(Keys(answer)).read_pin(30.0, lambda: False)


@pytest.mark.parametrize(
    ("digits", "pin"),
    [("1234", "1234"), ("12345", "12345F"), ("123456", "123456"), ("123456789012",) * 2],
)
def test_4_to_12_digits_are_a_pin(digits, pin):
    assert read(digits).reveal() == bytes.fromhex(pin)
    assert isinstance(read(digits), Pin)


@pytest.mark.parametrize(
    ("answer", "name"),
    [
        ("", "PIN_NOT_ENTERED"),
        ("123", "PIN_NOT_ENTERED"),
        ("1234567890123", "PIN_NOT_ENTERED"),
        ("12a456", "PIN_NOT_ENTERED"),
        ("１２３４５６", "PIN_NOT_ENTERED"),
        (TimeoutError(), "PIN_NOT_ENTERED"),
        (None, "PIN_CANCELLED"),
        (OSError("unplugged"), "PIN_PAD_MISSING"),
    ],
)
def test_anything_else_is_an_outcome_and_costs_no_try(answer, name):
    assert read(answer).name == name


def test_the_pad_is_asked_with_the_time_and_the_way_out():
    keys = Keys("123456")
    cancelled = bool
    Pad(keys).read_pin(12.5, cancelled)
    assert keys.asked == (12.5, cancelled)
