"""The other side of the pins: what gpio-sim lets the world do to them and see of them."""

from __future__ import annotations

import os
import threading
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


def until(holds: Callable[[], bool], deadline_s: float = 60.0, every_s: float = 0.002) -> bool:
    """Whether it does so in time: this kernel is one process of a machine that may be busy."""
    end = time.monotonic() + deadline_s
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(every_s)
    return True


class Held:
    """Switches of the world, which hold their pins whatever resistor the chip switches on: gpio-sim
    lets the last of the two decide, so the world says it again and again."""

    def __init__(self, **levels: bool):
        """pin23=False: low."""
        self._levels = {int(name.removeprefix("pin")): level for name, level in levels.items()}
        threading.Thread(target=self._hold, daemon=True).start()

    def set(self, pin: int, is_high: bool) -> None:
        self._levels[pin] = is_high

    def _hold(self) -> None:
        while True:
            for pin, is_high in list(self._levels.items()):
                pull(pin, is_high)
            time.sleep(0.01)
