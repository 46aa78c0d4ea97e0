"""When the level of a pin counts: once it stood still.

An edge only wakes the thread here.  It reads the level when no further edge came for the pin's
debounce time, and tells the pin; so it does not matter which edges a library withheld.
"""

from __future__ import annotations

import logging
import threading
import time
from queue import Empty, SimpleQueue
from typing import Protocol

log = logging.getLogger(__name__)

POLL_S = 0.02
"""Between two looks at a pin whose edges this machine cannot report."""
_LONGEST = 10
"""Debounce times; a level that never stands still is taken as it is then."""
_END_S = 2.0


class Level(Protocol):
    """A pin as the thread sees it."""

    pin: int
    debounce_s: float
    has_edges: bool
    """False: nobody touches it when its level changes."""

    def read(self) -> bool:
        """The level at this moment.  Raises OSError."""

    def settle(self, level: bool) -> None:
        """That level stood.  Must not wait."""


class Settler:
    """The thread that waits until touched inputs stand still.  Each is in the queue at most once,
    so noise on a pin takes no memory."""

    def __init__(self) -> None:
        self._touched: SimpleQueue[Level | None] = SimpleQueue()
        self._queued: set[Level] = set()
        self._polled: list[Level] = []
        self._failing: set[Level] = set()
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()

    def touch(self, pin: Level) -> None:
        """From any thread: its level may have changed."""
        if pin in self._queued:
            return
        self._queued.add(pin)
        self._touched.put(pin)
        with self._starting:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="pins", daemon=True)
                self._thread.start()

    def poll(self, pin: Level) -> None:
        """Look at it again and again."""
        if pin not in self._polled:
            self._polled.append(pin)
        self.touch(pin)

    def end(self) -> None:
        with self._starting:
            thread, self._thread = self._thread, None
        if thread is not None and thread is not threading.current_thread():
            self._touched.put(None)
            thread.join(_END_S)
        self._polled.clear()

    def _run(self) -> None:
        waiting: dict[Level, _Settling] = {}
        while True:
            try:
                pin = self._touched.get(timeout=self._wait_s(waiting))
            except Empty:
                touched = [each for each in self._polled if each not in waiting]
            else:
                if pin is None:
                    return
                self._queued.discard(pin)
                touched = [pin]
            now = time.monotonic()
            for each in touched:
                waiting.setdefault(each, _Settling(each, now)).disturbed(now)
            for settling in [each for each in waiting.values() if each.due <= now]:
                if settling.has_ended(now, self._failing):
                    del waiting[settling.pin]

    def _wait_s(self, waiting: dict[Level, _Settling]) -> float | None:
        due = [each.due - time.monotonic() for each in waiting.values()]
        if self._polled:
            due.append(POLL_S)
        return max(0.0, min(due)) if due else None


class _Settling:
    """One input on its way to a level that stands."""

    def __init__(self, pin: Level, now: float):
        self.pin = pin
        self.due = now
        self._level: bool | None = None
        self._until = now + _LONGEST * pin.debounce_s

    def disturbed(self, now: float) -> None:
        """An edge: wait for the debounce time from here, but not for ever."""
        self._level = None
        self.due = min(now + self.pin.debounce_s, max(self._until, now))

    def has_ended(self, now: float, failing: set[Level]) -> bool:
        """No edge since the debounce time: the level counts; where there are no edges, that of
        two readings a debounce time apart.  failing: pins of which the log tells already."""
        try:
            level = self.pin.read()
        except OSError as error:
            if self.pin not in failing:
                log.warning("pin %d: %s", self.pin.pin, error)
            failing.add(self.pin)
            return True
        failing.discard(self.pin)
        if not self.pin.has_edges and level != self._level and now < self._until:
            self._level = level
            self.due = now + self.pin.debounce_s
            return False
        self.pin.settle(level)
        return True
