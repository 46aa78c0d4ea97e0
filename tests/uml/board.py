"""The other side of the pins: what gpio-sim lets the world do to them and see of them."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path


def pull(pin: int, is_high: bool) -> None:
    """The world outside holds the pin there: a switch, a key."""
    _file(pin, "pull").write_text("pull-up" if is_high else "pull-down")


def level(pin: int) -> int:
    """What a wire at that pin would carry, 0 or 1."""
    return int(_file(pin, "value").read_text())


def _file(pin: int, name: str) -> Path:
    return Path(os.environ["SIM"]) / f"sim_gpio{pin}" / name


def until(holds: Callable[[], bool], deadline_s: float = 5.0) -> bool:
    """Whether it does so in time."""
    end = time.monotonic() + deadline_s
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(0.002)
    return True
