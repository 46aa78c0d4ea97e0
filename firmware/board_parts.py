"""The sections of board.toml that name the parts of a unit: readers, PSAM slot, display, pins.

Pins are BCM numbers.
"""

# ruff: noqa: RUF009 - the calls in the dataclasses return dataclasses.field(...)

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from firmware.board_schema import choice, flag, path, text, whole


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
class Display:
    language: str = choice("both", "zh", "en", default="both")
    window: bool = flag(False)
    panel_png: Path | None = path(None)


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
