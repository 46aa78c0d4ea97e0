"""[display.panel] of board.toml: a kind, the bus it can have, the pins that bus needs."""

from __future__ import annotations

import pytest

from firmware import board
from tests.test_board import SMALL, refusal

PANEL = "[display.panel]\n"


def parsed(lines: str) -> board.Board:
    return board.parse(SMALL + PANEL + lines, "/unit/board.toml")


@pytest.mark.parametrize(
    ("lines", "i2c"),
    [
        ('kind = "ssd1306"\nbus = "i2c:1"\n', (1, 0x3C)),
        ('kind = "sh1106"\nbus = "i2c:10@0x3d"\n', (10, 0x3D)),
        ('kind = "hd44780-16x4"\nbus = "i2c:1"\n', (1, 0x27)),
        ('kind = "hd44780-20x2"\nbus = "i2c:1@0x3f"\n', (1, 0x3F)),
    ],
)
def test_a_panel_on_i2c_has_a_usual_address(lines: str, i2c: tuple[int, int]) -> None:
    display = parsed(lines).display
    assert display is not None
    assert display.panel is not None
    assert display.panel.i2c == i2c


def test_a_panel_on_spi_or_on_pins() -> None:
    display = parsed('kind = "st7789"\nbus = "spi:0.1"\npins = [25, 12, 13]\n').display
    assert display is not None
    assert display.panel is not None
    assert (display.panel.spi, display.panel.pins) == ((0, 1), (25, 12, 13))
    parsed('kind = "ssd1306"\nbus = "spi:0.0"\npins = [25, 12]\n')
    parsed('kind = "hd44780-16x4"\nbus = "gpio"\npins = [26, 19, 13, 6, 5, 0]\n')


REFUSED = {
    "unknown kind": ('kind = "ssd1305"\nbus = "i2c:1"\n', "display.panel.kind", "one of"),
    "no bus": ('kind = "ssd1306"\n', "display.panel.bus", "missing"),
    "bad bus": ('kind = "ssd1306"\nbus = "i2c"\n', "display.panel.bus", "i2c:1"),
    "bus it has not": ('kind = "st7789"\nbus = "i2c:1"\n', "display.panel.bus", "wired to spi"),
    "letters on spi": (
        'kind = "hd44780-16x4"\nbus = "spi:0.0"\n', "display.panel.bus", "i2c / gpio",
    ),
    "no pins": ('kind = "st7789"\nbus = "spi:0.0"\n', "display.panel.pins", "[dc, reset, light]"),
    "pins on i2c": (
        'kind = "ssd1306"\nbus = "i2c:1"\npins = [1]\n', "display.panel.pins", "takes the pins []",
    ),
    "a light on an OLED": (
        'kind = "sh1106"\nbus = "spi:0.0"\npins = [1, 2, 3]\n', "display.panel.pins", "[dc, reset]",
    ),
    "no such pin": (
        'kind = "st7789"\nbus = "spi:0.0"\npins = [28, 2]\n', "display.panel.pins", "0 to 27",
    ),
    "true is no pin": (
        'kind = "st7789"\nbus = "spi:0.0"\npins = [true, 2]\n', "display.panel.pins", "0 to 27",
    ),
    "one pin twice": (
        'kind = "st7789"\nbus = "spi:0.0"\npins = [2, 2]\n', "display.panel.pins[1]", "pins[0]",
    ),
    "another's pin": (
        'kind = "st7789"\nbus = "spi:0.0"\npins = [2, 17]\n[pins]\ncard_led = 17\n',
        "display.panel.pins[1]", "pins.card_led",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_is_refused_with_its_key(name: str) -> None:
    lines, key, advice = REFUSED[name]
    error = refusal(SMALL + PANEL + lines)
    assert error.key == key
    assert advice in error.en
