"""Pins of a bare slot, and those that a bus of the header takes, in board.toml."""

from __future__ import annotations

import pytest

from firmware import board
from tests.test_board import SMALL, edited, refusal


def bare(pins: str) -> str:
    """SMALL with a bare slot, its first pin on line 10."""
    old, new = '"sim:x#user"\nkind = "contact"', '"iso7816:/dev/a"\nkind = "contact"'
    return edited(old, f"{new}\n{pins}")


REFUSED = {
    "pin of a slot used twice": (
        bare("reset_pin = 5\ndetect_pin = 5"),
        "reader[0].detect_pin",
        11,
        "already reader[0].reset_pin",
    ),
    "pin of a slot and of the header": (
        bare("reset_pin = 7") + "[pins]\nbuzzer = 7\n",
        "reader[0].reset_pin",
        10,
        "already pins.buzzer",
    ),
    "power of a bare slot without reset": (
        bare("power_pin = 7"),
        "reader[0].reset_pin",
        6,
        "needs its reset",
    ),
    "card switch of a bare slot without reset": (
        bare("detect_pin = 0"),
        "reader[0].reset_pin",
        6,
        "needs its reset",
    ),
    "reset of a PSAM's bare slot": (
        edited('sim:x#psam"', 'iso7816:/dev/b"\npower_pin = 7'),
        "psam.reset_pin",
        10,
        "needs its reset",
    ),
    "pin at a reader of its own": (
        edited('#psam"', '#psam"\nreset_pin = 0'),
        "psam.reset_pin",
        12,
        "remove this pin",
    ),
    "pin of the first serial line": (
        edited("sim:x#user", "ccid:/dev/ttyAMA0#1?sec1210") + "[pins]\nbuzzer = 15\n",
        "pins.buzzer",
        23,
        "already ttyAMA0, reader[0].address",
    ),
    "pin of the bus of a reader": (
        edited("sim:x#user", "pn532:/dev/i2c-1") + "[pins]\ntamper = 3\n",
        "pins.tamper",
        23,
        "already i2c-1, reader[0].address",
    ),
    "pin of the bus of a panel": (
        SMALL + '[display.panel]\nkind = "st7789"\nbus = "spi:0.1"\npins = [7, 20]\n',
        "display.panel.pins[0]",
        25,
        "already spi0.1, display.panel.bus",
    ),
}


@pytest.mark.parametrize(("text", "key", "line", "said"), REFUSED.values(), ids=REFUSED)
def test_pins_that_cannot_be_are_refused(text: str, key: str, line: int, said: str) -> None:
    error = refusal(text)
    assert (error.key, error.line) == (key, line)
    assert said in error.en


@pytest.mark.parametrize(
    "text",
    [
        bare("reset_pin = 0"),
        bare("power_pin = 1\nreset_pin = 2\ndetect_pin = 3"),
        edited("sim:x#user", "iso7816:/dev/ttyAMA1?clock=4000000") + "[pins]\nbuzzer = 14\n",
        SMALL
        + '[[reader]]\nname = "b"\naddress = "ccid:/dev/ttyAMA0"\nkind = "contact"\n'
        + '[[reader]]\nname = "c"\naddress = "ccid:/dev/ttyAMA0#1"\nkind = "contact"\n'
        + "[pins]\nbuzzer = 16\n",
    ],
)
def test_pins_that_may_be(text: str) -> None:
    board.parse(text, "/unit/board.toml")
