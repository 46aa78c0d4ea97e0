"""Panels through the real luma and RPLCD: what reaches the bus is decoded back and compared.

The chips (chips.py) make of bytes what their data sheets say.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import smbus2

from firmware import board, parts
from firmware.display.panel import COLOUR, MONO, pictures
from firmware.display.screen import Display, Shown
from firmware.drivers import hd44780, luma_panel
from tests.chips import Hd44780Chip, Oled, St7789
from tests.test_board import SMALL
from tests.waiting import until


def shown(name: str, **fields: str) -> Shown:
    display = Display([])
    display.show(name, **fields)
    (found,) = display.since()
    return found


class Bus:
    """smbus2.SMBus with one chip on it, which may be unplugged."""

    chip: Any = None
    address = 0x3C
    is_plugged = True
    opened = 0

    def __init__(self, number: int):
        assert number == 1
        type(self).opened += 1

    def _reach(self, address: int) -> None:
        if address != self.address or not self.is_plugged:
            raise OSError(121, "Remote I/O error")

    def write_i2c_block_data(self, address: int, register: int, data: list[int]) -> None:
        self._reach(address)
        self.chip.written(register, bytes(data))

    def i2c_rdwr(self, *messages: Any) -> None:
        for each in messages:
            self._reach(each.addr)
            content = bytes(each)
            self.chip.written(content[0], content[1:])

    def write_byte(self, address: int, value: int) -> None:
        self._reach(address)
        self.chip.expanded(value)

    def close(self) -> None:
        pass


@pytest.fixture
def bus(monkeypatch: pytest.MonkeyPatch) -> type[Bus]:
    fresh = type("FreshBus", (Bus,), {})
    monkeypatch.setattr(smbus2, "SMBus", fresh)
    monkeypatch.setattr("RPLCD.i2c.SMBus", fresh)
    return fresh


class Gpio(types.ModuleType):
    """RPi.GPIO, as far as a panel needs it: levels, and who listens to them."""

    BCM, BOARD, OUT, IN, LOW, HIGH = 11, 10, 0, 1, 0, 1

    def __init__(self) -> None:
        super().__init__("RPi.GPIO")
        self.levels: dict[int, int] = {}
        self.listener: Callable[[int, int], None] = lambda pin, level: None

    def setmode(self, mode: int) -> None:
        assert mode == self.BCM

    def setup(self, pin: int, mode: int, **more: Any) -> None:
        assert mode == self.OUT
        self.levels[pin] = 0

    def output(self, pin: int, level: int) -> None:
        assert pin in self.levels, "set up before it is used"
        self.levels[pin] = int(bool(level))
        self.listener(pin, self.levels[pin])

    def cleanup(self, pins: Any = None) -> None:
        pass


@pytest.fixture
def gpio(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gpio]:
    library = Gpio()
    package = types.ModuleType("RPi")
    package.GPIO = library  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "RPi", package)
    monkeypatch.setitem(sys.modules, "RPi.GPIO", library)
    before = sys.modules.pop("RPLCD.gpio", None)
    yield library
    sys.modules.pop("RPLCD.gpio", None)
    if before is not None:
        sys.modules["RPLCD.gpio"] = before


class Spi:
    """drivers/spi.py's SpiDevice with an ST7789 or an OLED on it."""

    chip: Any = None
    dc = 25

    def __init__(self, library: Gpio):
        self._library = library
        self.max_speed_hz = 0

    def open(self, bus: int, device: int) -> None:
        assert (bus, device) == (0, 0)

    def writebytes(self, data: Any) -> None:
        assert len(data) <= 4096, "what spidev takes in one go"
        is_data = self._library.levels[self.dc]
        self.chip.written(0x40 if is_data else 0x00, bytes(data))

    def close(self) -> None:
        pass


MESSAGES = (("ENTER_PIN", {"tries_left": "3"}), ("APPROVED", {"amount": "86.50"}))


@pytest.mark.parametrize("kind", luma_panel.OLED)
@pytest.mark.parametrize("is_upside_down", [False, True])
def test_an_oled_on_i2c_shows_the_very_picture(bus: Any, kind: str, is_upside_down: bool) -> None:
    bus.chip = Oled(kind)
    panel = luma_panel.LumaPanel(kind, luma_panel.on_i2c(1, 0x3C), is_upside_down)
    for name, fields in MESSAGES:
        (picture,) = pictures(shown(name, **fields), MONO)
        panel.show(picture)
        wanted = picture.rotate(180) if is_upside_down else picture
        assert bus.chip.picture().tobytes() == wanted.tobytes()
    assert bus.chip.is_on
    assert bus.opened == 1


@pytest.mark.parametrize("kind", luma_panel.OLED)
def test_an_oled_on_spi_shows_the_very_picture(
    gpio: Gpio, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    spi = Spi(gpio)
    spi.chip = Oled(kind)
    monkeypatch.setattr(luma_panel, "SpiDevice", lambda: spi)
    panel = luma_panel.LumaPanel(kind, luma_panel.on_spi(kind, 0, 0, (25, 24), lambda: gpio))
    (picture,) = pictures(shown("READY"), MONO)
    panel.show(picture)
    assert spi.chip.picture().tobytes() == picture.tobytes()
    assert spi.max_speed_hz == 8_000_000


@pytest.mark.parametrize("is_upside_down", [False, True])
def test_an_st7789_shows_the_very_picture_and_its_light_is_on(
    gpio: Gpio, monkeypatch: pytest.MonkeyPatch, is_upside_down: bool
) -> None:
    spi = Spi(gpio)
    spi.chip = St7789()
    monkeypatch.setattr(luma_panel, "SpiDevice", lambda: spi)
    panel = luma_panel.LumaPanel(
        "st7789", luma_panel.on_spi("st7789", 0, 0, (25, 24, 13), lambda: gpio), is_upside_down,
        luma_panel.backlight_on(13, lambda: gpio),
    )  # fmt: skip
    for name, fields in MESSAGES:
        (picture,) = pictures(shown(name, **fields), COLOUR)
        panel.show(picture)
        wanted = picture.rotate(180) if is_upside_down else picture
        assert spi.chip.picture().tobytes() == wanted.tobytes()
    assert spi.chip.is_on
    assert gpio.levels[13] == 1
    assert gpio.levels[24] == 1, "out of reset"


def test_an_oled_that_was_unplugged_is_opened_anew(bus: Any) -> None:
    bus.chip = Oled("ssd1306")
    bus.is_plugged = False
    panel = luma_panel.LumaPanel("ssd1306", luma_panel.on_i2c(1, 0x3C))
    (picture,) = pictures(shown("READY"), MONO)
    for _ in range(3):
        with pytest.raises(Exception, match="not found"):
            panel.show(picture)
    bus.is_plugged = True
    panel.show(picture)
    bus.is_plugged = False
    with pytest.raises(Exception, match="not found"):
        panel.show(picture)
    bus.chip = Oled("ssd1306")  # a new one: it must be set up again
    bus.is_plugged = True
    panel.show(picture)
    assert bus.chip.is_on
    assert bus.chip.picture().tobytes() == picture.tobytes()


TEXTS = (
    ["Enter your PIN  ", "Tries left: 3   ", "****            ", "             42s"],
    ["Paid            ", "Take your card  ", "86.50 yuan      ", "001             "],
    ["Paid            ", "Take your card  ", "1086.50 yuan    ", "001             "],
)


def test_letters_behind_a_pcf8574(bus: Any) -> None:
    bus.chip, bus.address = Hd44780Chip(), 0x27
    panel = hd44780.Hd44780(hd44780.on_i2c(1, 0x27, 16, 4))
    for text in TEXTS:
        panel.show(text)
        assert bus.chip.lines(16, 4) == text
    assert bus.chip.is_on
    bus.is_plugged = False
    with pytest.raises(OSError, match="Remote I/O"):
        panel.show(TEXTS[0])
    bus.chip, bus.is_plugged = Hd44780Chip(), True
    panel.show(TEXTS[-1])
    assert bus.chip.lines(16, 4) == TEXTS[-1], "a new one is set up again, and written whole"


def test_letters_on_six_pins(gpio: Gpio) -> None:
    chip = Hd44780Chip()
    names = dict(zip((26, 19, 13, 6, 5, 16), ("rs", "e", "d4", "d5", "d6", "d7"), strict=True))
    gpio.listener = lambda pin, level: chip.level(names[pin], level)
    panel = hd44780.Hd44780(hd44780.on_pins(tuple(names), 20, 2, lambda: gpio))
    for text in (["Paid 86.50       001", "Take your card   42s"], ["Ready" + " " * 15] * 2):
        panel.show(text)
        assert chip.lines(20, 2) == text


def test_only_lines_that_changed_are_sent(bus: Any) -> None:
    bus.chip, bus.address = Hd44780Chip(), 0x27
    panel = hd44780.Hd44780(hd44780.on_i2c(1, 0x27, 16, 4))
    panel.show(TEXTS[1])
    before = bus.chip.characters
    panel.show(TEXTS[2])
    assert 0 < bus.chip.characters - before <= 16


# -- from board.toml -------------------------------------------------------------------------------


def surface(lines: str) -> Any:
    loaded = board.parse(SMALL + "[display.panel]\n" + lines, "/unit/board.toml")
    (found,) = parts.surfaces(loaded, parts.header(loaded))
    return found


def test_board_toml_opens_an_oled(bus: Any) -> None:
    bus.chip = Oled("sh1106")
    display = Display([surface('kind = "sh1106"\nbus = "i2c:1"\n')])
    display.show("APPROVED", amount="86.50")
    assert display.current is not None
    wanted = pictures(display.current, MONO)[0].tobytes()
    until(lambda: bus.chip.picture().tobytes() == wanted)
    display.close()


def test_board_toml_opens_a_panel_of_letters(bus: Any) -> None:
    bus.chip, bus.address = Hd44780Chip(), 0x27
    display = Display([surface('kind = "hd44780-20x2"\nbus = "i2c:1"\n')])
    display.show("PSAM_MISSING")
    wanted = ["PSAM missing     301", "Call technician     "]
    until(lambda: bus.chip.lines(20, 2) == wanted)
    display.close()


def test_a_panel_that_is_not_there_is_a_fault_of_the_display_only() -> None:
    display = Display([surface('kind = "ssd1306"\nbus = "i2c:99"\n')])
    display.show("READY")
    until(lambda: bool(display.show("READY") or display.faults))
    assert "not found" in display.faults["SlowPanel"].lower()
    display.close()


def test_decoding_knows_a_wrong_picture() -> None:
    """The chips here are no echo of what is wanted."""
    chip = Oled("ssd1306")
    assert not any(chip.picture().tobytes())
    chip.written(0x40, b"\x01")
    assert any(chip.picture().tobytes())
