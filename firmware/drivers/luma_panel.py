"""Panels of dots by luma: SSD1306 and SH1106 (128x64, one colour), ST7789 (240x240, colour).

Opened at the first picture.  A panel that does not answer raises at each picture and is opened anew
at the next, so one that was unplugged comes back by itself.  luma, Pillow and smbus2 are imported
then and not before.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from firmware.drivers.spi import SpiDevice

OLED = ("ssd1306", "sh1106")
COLOUR = "st7789"
KINDS = (*OLED, COLOUR)
SPI_HZ = {"ssd1306": 8_000_000, "sh1106": 8_000_000, "st7789": 40_000_000}
NOP = 0xE3  # of SSD1306 and SH1106: asks whether somebody is there
RESET_S = 0.15  # the ST7789's longest time from reset to its first command is 120 ms (9.1.x, 7.4.5)

Connect = Callable[[], Any]
"""Opens the bus: luma's serial interface (command, data, cleanup)."""


class LumaPanel:
    """kind: of KINDS.  backlight: switches it on and off; only the ST7789's is switched."""

    def __init__(
        self,
        kind: str,
        connect: Connect,
        is_upside_down: bool = False,
        backlight: Callable[[bool], None] | None = None,
    ):
        self._kind = kind
        self._connect = connect
        self._rotate = 2 if is_upside_down else 0
        self._backlight = backlight or (lambda on: None)
        self._device: Any = None

    def show(self, image: Any) -> None:
        """A Pillow image, "1" of 128x64 or "RGB" of 240x240.  Raises OSError and luma's errors."""
        try:
            if self._device is None:
                self._device = self._open()
            self._device.display(image)
        except Exception:
            self._drop()
            raise

    def _open(self) -> Any:
        bus = self._connect()
        try:
            if self._kind in OLED:
                bus.command(NOP)  # a bus opens without a panel, too: so first ask
            device = self._make(bus)
        except Exception:
            bus.cleanup()
            raise
        device.persist = True  # the last message stands when the process ends
        return device

    def _make(self, bus: Any) -> Any:
        _keep_no_device()
        if self._kind == COLOUR:
            from luma.lcd.device import st7789

            return st7789(bus, rotate=self._rotate, backlight=self._backlight)
        from luma.oled.device import sh1106, ssd1306

        return (ssd1306 if self._kind == "ssd1306" else sh1106)(bus, rotate=self._rotate)

    def _drop(self) -> None:
        device, self._device = self._device, None
        if device is not None:
            device.cleanup()


class _NoExit:
    """In luma's place for atexit."""

    @staticmethod
    def register(hook: Callable[[], None]) -> None:
        """Its hook would hold each device, 300 KB, until the process ends: one for each time that
        a panel with a loose wire came back.  It would only close a bus."""


def _keep_no_device() -> None:
    import luma.core.device

    luma.core.device.atexit = _NoExit


def on_i2c(bus: int, address: int) -> Connect:
    """/dev/i2c-N; the address is one of 7 bits."""

    def connect() -> Any:
        from luma.core.interface.serial import i2c

        return i2c(port=bus, address=address)

    return connect


def on_spi(
    kind: str, bus: int, device: int, pins: tuple[int, ...], gpio: Callable[[], Any]
) -> Connect:
    """/dev/spidevBUS.DEVICE.  pins: data/command and reset, BCM.  gpio: opens RPi.GPIO."""

    def connect() -> Any:
        from luma.core.interface.serial import spi

        return spi(
            spi=SpiDevice(), gpio=gpio(), port=bus, device=device, bus_speed_hz=SPI_HZ[kind],
            gpio_DC=pins[0], gpio_RST=pins[1], reset_hold_time=0.001, reset_release_time=RESET_S,
        )  # fmt: skip

    return connect


def backlight_on(pin: int, gpio: Callable[[], Any]) -> Callable[[bool], None]:
    """Lit where the pin is high."""

    def switch(is_on: bool) -> None:
        library = gpio()
        library.setup(pin, library.OUT)
        library.output(pin, is_on)

    return switch
