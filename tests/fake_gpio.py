"""A library with RPi.GPIO's names and its way to debounce, for what User Mode Linux cannot show.

RPi.GPIO 0.7: an edge calls back at once, then the pin is deaf for the bounce time; on a kernel
without /sys/class/gpio it reports no edges and raises RuntimeError.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any


class FakeGpio:
    BCM, OUT, IN, BOTH, PUD_UP, PUD_DOWN, LOW = 11, 0, 1, 33, 22, 21, 0

    def __init__(self, *, has_edges: bool = True):
        self.levels: dict[int, int] = {}
        self.modes: dict[int, int] = {}
        self.tones: list[tuple[int, int]] = []  # pin, Hz; 0 when it stopped
        self.is_broken = False
        self.cleanups = 0
        self._has_edges = has_edges
        self._callbacks: dict[int, tuple[Callable[[int], None], float]] = {}
        self._deaf_until: dict[int, float] = {}

    # -- the world -------------------------------------------------------------------------------

    def drive(self, pin: int, level: int) -> None:
        before, self.levels[pin] = self.levels.get(pin), level
        if before == level or pin not in self._callbacks:
            return
        callback, bounce_s = self._callbacks[pin]
        now = time.monotonic()
        if now >= self._deaf_until.get(pin, 0.0):
            self._deaf_until[pin] = now + bounce_s
            callback(pin)

    # -- RPi.GPIO's names ------------------------------------------------------------------------

    def setup(
        self, pin: int, mode: int, pull_up_down: int | None = None, initial: int | None = None
    ) -> None:
        if self.is_broken:
            raise RuntimeError("no such chip")
        self.modes[pin] = mode
        if mode == self.OUT:
            self.levels[pin] = initial or 0
        else:
            self.levels.setdefault(pin, int(pull_up_down == self.PUD_UP))

    def input(self, pin: int) -> int:
        if self.is_broken:
            raise RuntimeError("no such chip")
        assert self.modes[pin] == self.IN
        return self.levels[pin]

    def output(self, pin: int, level: int) -> None:
        if self.is_broken:
            raise RuntimeError("no such chip")
        assert self.modes[pin] == self.OUT
        self.levels[pin] = level

    def add_event_detect(
        self, pin: int, edge: int, callback: Callable[[int], None], bouncetime: int
    ) -> None:
        if not self._has_edges:
            raise RuntimeError("Failed to add edge detection")
        assert edge == self.BOTH
        self._callbacks[pin] = (callback, bouncetime / 1000)

    def PWM(self, pin: int, hertz: int) -> Any:
        assert self.modes[pin] == self.OUT
        return FakePwm(self, pin, hertz)

    def cleanup(self) -> None:
        self.cleanups += 1
        self.modes.clear()
        self._callbacks.clear()


class FakePwm:
    def __init__(self, library: FakeGpio, pin: int, hertz: int):
        self._library, self._pin, self._hertz = library, pin, hertz

    def ChangeFrequency(self, hertz: int) -> None:
        self._hertz = hertz

    def start(self, duty: int) -> None:
        assert 0 < duty < 100
        self._library.tones.append((self._pin, self._hertz))

    def stop(self) -> None:
        self._library.tones.append((self._pin, 0))
