"""The other side of the pins: what gpio-sim lets the world do to them and see of them."""

from __future__ import annotations

import mmap
import os
import select
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
    lets the last of the two decide, so the world says it again and again.

    A process of its own that goes before all others of this kernel, as the world does: else a
    terminal could read its resistor first, on a machine that is busy.  It ends with the checks.
    """

    def __init__(self, ear: int, **levels: bool):
        """ear: of that pin it remembers whether it was ever high.  pin23=False: low."""
        self._heard = mmap.mmap(-1, 1)
        said, self._say = os.pipe()
        if os.fork() == 0:
            try:
                os.close(self._say)
                held = {int(name.removeprefix("pin")): level for name, level in levels.items()}
                self._hold(held, said, ear)
            finally:
                os._exit(0)
        os.close(said)

    def set(self, pin: int, is_high: bool) -> None:
        os.write(self._say, bytes((pin, is_high)))

    def listen(self) -> None:
        """Forget what was heard."""
        self._heard[0] = 0

    def has_heard(self) -> bool:
        return self._heard[0] == 1

    def _hold(self, levels: dict[int, bool], said: int, ear: int) -> None:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
        while True:
            if select.select([said], [], [], 0.005)[0]:
                order = os.read(said, 2)
                if not order:
                    return
                levels[order[0]] = bool(order[1])
            for pin, is_high in levels.items():
                pull(pin, is_high)
            if level(ear):
                self._heard[0] = 1
