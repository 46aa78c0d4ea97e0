"""The sections of board.toml that name the parts of a unit: readers, PSAM slot, pins.

Pins are BCM numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from firmware.board_schema import choice, flag, text, value, whole


def _address(*schemes: str) -> Any:
    shown = " / ".join(f'"{scheme}:..."' for scheme in schemes)
    return text(rf"(?:{'|'.join(schemes)}):\S.*", f"地址 {shown}", f"an address {shown}")


@dataclass(frozen=True)
class Reader:
    name: str = text(r"\S(.{0,30}\S)?", " 1 至 32 字的名称", "a name of 1 to 32 characters")
    address: str = _address("sim", "pcsc", "ccid", "iso7816", "pn532", "replay")
    kind: str = choice("contact", "contactless")
    power_pin: int | None = whole(0, 27, None)
    reset_pin: int | None = whole(0, 27, None)
    detect_pin: int | None = whole(0, 27, None)
    detect_low: bool = flag(True)


@dataclass(frozen=True)
class Psam:
    address: str = _address("sim", "pcsc", "ccid", "iso7816", "replay")
    terminal_number: str | None = text(
        "[0-9]{12}", " 12 位终端机编号", "a terminal number of 12 digits", None
    )
    warn_days: int = whole(0, 3650, 30)
    power_pin: int | None = whole(0, 27, None)
    reset_pin: int | None = whole(0, 27, None)
    detect_pin: int | None = whole(0, 27, None)
    detect_low: bool = flag(True)


@dataclass(frozen=True)
class Pins:
    """BCM numbers; None where nothing is wired (0 is a pin)."""

    card_led: int | None = whole(0, 27, None)
    error_led: int | None = whole(0, 27, None)
    buzzer: int | None = whole(0, 27, None)
    tamper: int | None = whole(0, 27, None)
    confirm_key: int | None = whole(0, 27, None)
    cancel_key: int | None = whole(0, 27, None)
    chip: int | None = whole(0, 31, None)
    quiet: bool = flag(False)

    def named(self) -> dict[str, int]:
        """Those that are wired."""
        pins = ("card_led", "error_led", "buzzer", "tamper", "confirm_key", "cancel_key")
        return {name: pin for name in pins if (pin := getattr(self, name)) is not None}


SLOT_PINS = ("power_pin", "reset_pin", "detect_pin")
"""Of a [[reader]] or the [psam]."""


_COLUMNS = {(58, "gb18030"): 32, (80, "gb18030"): 48, (58, "raster"): 24, (80, "raster"): 36}


@dataclass(frozen=True)
class Printer:
    address: str = text(
        r"(?:serial|file):/\S+",
        '地址 "serial:/dev/..." 或 "file:/dev/..."',
        'an address "serial:/dev/..." or "file:/dev/..."',
    )
    baud: int = whole(1200, 921600, 9600)
    paper_mm: int = value(
        lambda found: type(found) is int and found in (58, 80), " 58 或 80", "58 or 80", 58
    )
    chinese: str = choice("gb18030", "raster", default="gb18030")
    when: str = choice("always", "request", default="request")
    title: str | None = text(
        r"\S(.{0,30}\S)?", " 1 至 32 字的名称", "a name of 1 to 32 characters", None
    )
    asks_paper: bool = flag(True)
    cut: bool = flag(False)

    @property
    def columns(self) -> int:
        """Of usual characters, a Chinese one takes two: 8 dots a millimetre, 12 or 16 a column."""
        return _COLUMNS[self.paper_mm, self.chinese]
