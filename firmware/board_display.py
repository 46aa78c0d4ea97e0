"""The section [display] of board.toml and its panel."""

# ruff: noqa: RUF009 - the calls in the dataclasses return dataclasses.field(...)

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from firmware.board_lines import Place
from firmware.board_schema import File, choice, flag, part, path, text, value

OLED = ("ssd1306", "sh1106")
COLOUR = "st7789"
LETTERS = ("hd44780-16x4", "hd44780-20x2")
BUSES = {
    **dict.fromkeys(OLED, ("i2c", "spi")),
    COLOUR: ("spi",),
    **dict.fromkeys(LETTERS, ("i2c", "gpio")),
}
"""Kind of panel -> what it may be wired to."""
PINS = {"i2c": ((),), "spi": (("dc", "reset"), ("dc", "reset", "light")),
        "gpio": (("rs", "e", "d4", "d5", "d6", "d7"),)}  # fmt: skip
"""Bus -> the names of its pins, in order; the light only where it is switched."""


def _pins() -> Any:
    def fits(found: Any) -> bool:
        return isinstance(found, list) and all(
            type(each) is int and 0 <= each <= 27 for each in found
        )

    return value(
        fits, " BCM 编号 0 至 27 的列表", "a list of BCM numbers from 0 to 27", [],
        lambda found, place, file: tuple(found),
    )  # fmt: skip


@dataclass(frozen=True)
class Panel:
    kind: str = choice(*OLED, COLOUR, *LETTERS)
    bus: str = text(
        r"i2c:[0-9]{1,2}(@0x[0-7][0-9a-f])?|spi:[0-9]\.[0-9]|gpio",
        ' "i2c:1"、"i2c:1@0x3c"、"spi:0.0" 或 "gpio"',
        '"i2c:1", "i2c:1@0x3c", "spi:0.0" or "gpio"',
    )
    pins: tuple[int, ...] = _pins()
    upside_down: bool = flag(False)

    @property
    def scheme(self) -> str:
        return self.bus.partition(":")[0]

    @property
    def i2c(self) -> tuple[int, int]:
        """Bus and address; without one that of most such panels."""
        number, _, address = self.bus.removeprefix("i2c:").partition("@")
        usual = 0x27 if self.kind in LETTERS else 0x3C
        return int(number), int(address, 16) if address else usual

    @property
    def spi(self) -> tuple[int, int]:
        bus, _, device = self.bus.removeprefix("spi:").partition(".")
        return int(bus), int(device)


@dataclass(frozen=True)
class Display:
    language: str = choice("both", "zh", "en", default="both")
    large: bool = flag(False)
    window: bool = flag(False)
    panel_png: Path | None = path(None)
    panel: Panel | None = part(Panel)


def check_panel(display: Display | None, file: File) -> None:
    """Its bus is one it can have, with the pins that bus needs."""
    panel = None if display is None else display.panel
    if panel is None:
        return
    if panel.scheme not in BUSES[panel.kind]:
        able = " / ".join(BUSES[panel.kind])
        raise file.error(
            ("display", "panel", "bus"),
            f"{panel.kind} 只能接 {able}，请改正",
            f"{panel.kind} is wired to {able}; correct this",
        )
    wanted = PINS[panel.scheme]
    if panel.kind != COLOUR:
        wanted = wanted[:1]  # an OLED shines by itself
    if len(panel.pins) not in [len(each) for each in wanted]:
        names = " / ".join("[" + ", ".join(each) + "]" for each in wanted)
        raise file.error(
            ("display", "panel", "pins"),
            f"{panel.kind} 接 {panel.bus} 须填写引脚 {names}",
            f"{panel.kind} on {panel.bus} takes the pins {names}",
        )


def panel_pins(display: Display | None) -> list[tuple[Place, int]]:
    """Each pin of the panel and its place in the file."""
    panel = None if display is None else display.panel
    pins = () if panel is None else panel.pins
    return [(("display", "panel", "pins", index), pin) for index, pin in enumerate(pins)]
