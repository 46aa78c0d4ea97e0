"""Panels of letters by RPLCD: an HD44780 behind a PCF8574 on I2C, or on six pins.

Opened at the first text; one that does not answer raises at each text and is opened anew at the
next.  RPLCD and smbus2 (or RPi.GPIO) are imported then and not before.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

Connect = Callable[[], Any]
"""Opens the panel: RPLCD's CharLCD (cursor_pos, write_string, close)."""


class Hd44780:
    def __init__(self, connect: Connect):
        self._connect = connect
        self._lcd: Any = None
        self._stands: list[str] = []

    def show(self, lines: Sequence[str]) -> None:
        """Every line of the panel, each as wide as it is, ASCII.  Raises OSError.

        Only lines that changed are sent: a character takes some 0.5 ms on the bus.
        """
        try:
            if self._lcd is None:
                self._lcd, self._stands = self._connect(), []
            for row, line in enumerate(lines):
                if self._stands[row : row + 1] != [line]:
                    self._lcd.cursor_pos = (row, 0)
                    self._lcd.write_string(line)
            self._stands = list(lines)
        except Exception:
            self._drop()
            raise

    def _drop(self) -> None:
        """RPLCD leaves its I2C bus open; the pins, which have none, stay ours."""
        lcd, self._lcd = self._lcd, None
        bus = getattr(lcd, "bus", None)
        if bus is not None:
            bus.close()


def on_i2c(bus: int, address: int, columns: int, rows: int) -> Connect:
    """Through a PCF8574 at that address of 7 bits on /dev/i2c-N, wired as the common backpacks."""

    def connect() -> Any:
        from RPLCD.i2c import CharLCD

        lcd = CharLCD.__new__(CharLCD)  # at hand also where its first command fails
        try:
            lcd.__init__(
                "PCF8574", address, port=bus, cols=columns, rows=rows, charmap="A00",
                auto_linebreaks=False,
            )  # fmt: skip
        except Exception:
            if hasattr(lcd, "bus"):
                lcd.bus.close()
            raise
        return lcd

    return connect


def on_pins(pins: Sequence[int], columns: int, rows: int, gpio: Callable[[], Any]) -> Connect:
    """pins: RS, E, D4, D5, D6, D7, BCM; R/W lies at ground.  gpio: opens RPi.GPIO."""

    def connect() -> Any:
        library = gpio()  # before RPLCD imports it, so that it is opened as elsewhere
        from RPLCD.gpio import CharLCD

        return CharLCD(
            numbering_mode=library.BCM, pin_rs=pins[0], pin_e=pins[1], pins_data=list(pins[2:]),
            cols=columns, rows=rows, charmap="A00", auto_linebreaks=False,
        )  # fmt: skip

    return connect
