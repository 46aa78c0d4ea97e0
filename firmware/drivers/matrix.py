"""A key matrix: rows driven, columns read; which key was pressed, once, however it bounces.

`Scanner` does no I/O: crossings seen closed go in with the time, key names come out.  A second key
held down with the first, and the fourth crossing that three keys close by themselves (a matrix
without diodes cannot tell it from a key), are no keys: nothing counts until all are let go.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Protocol

SETTLE_S = 0.02
"""A crossing counts when it did not change for so long; keys bounce for 5 to 15 ms."""
SCAN_S = 0.005
QUIET_S = 0.02
"""Between two looks while no key is down: half of the shortest press, with the settling."""
NO_KEY = "-"

Crossing = tuple[int, int]
"""(row, column), from 0."""


class Scanner:
    """layout: the names of each row's keys, NO_KEY where there is none."""

    def __init__(self, layout: Sequence[Sequence[str]], settle_s: float = SETTLE_S):
        self._layout = layout
        self._settle_s = settle_s
        self._seen: frozenset[Crossing] = frozenset()
        self._since: float | None = None
        self._is_free = True  # all keys were up since the last one counted

    @property
    def is_quiet(self) -> bool:
        """All keys are up, and were when it was last looked."""
        return self._is_free and not self._seen

    def look(self, closed: frozenset[Crossing], now_s: float) -> str | None:
        """The key that counts from now on; each press gives its name once."""
        if closed != self._seen or self._since is None:
            self._seen, self._since = closed, now_s
        if now_s - self._since < self._settle_s:
            return None
        if not closed:
            self._is_free = True
            return None
        was_free, self._is_free = self._is_free, False
        if not was_free or len(closed) > 1:
            return None
        (crossing,) = closed
        name = self.name(crossing)
        return None if name == NO_KEY else name

    def name(self, crossing: Crossing) -> str:
        """Of the key there, or NO_KEY."""
        row, column = crossing
        return self._layout[row][column]


class Wires(Protocol):
    def closed(self) -> frozenset[Crossing]:
        """The crossings that conduct now.  Raises OSError when the pins cannot be had."""


class MatrixKeys:
    """A keyed.Keyboard on the pins of a matrix.

    It looks only while it is asked: what is pressed meanwhile is not kept, so nothing typed ahead
    waits anywhere.
    """

    def __init__(
        self,
        wires: Wires,
        layout: Sequence[Sequence[str]],
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ):
        self._wires = wires
        self._scanner = Scanner(layout)
        self._monotonic = monotonic
        self._sleep = sleep

    def look(self) -> str:
        """The keys that are down now.  Raises OSError when the pins cannot be had."""
        down = [self._scanner.name(each) for each in sorted(self._wires.closed())]
        return f"held down: {', '.join(down)}" if down else "its pins answer, no key is down"

    def key(self, timeout_s: float, interrupted: Callable[[], bool]) -> str | None:
        ends = self._monotonic() + timeout_s
        while not interrupted():
            name = self._scanner.look(self._wires.closed(), self._monotonic())
            if name is not None:
                return name
            left_s = ends - self._monotonic()
            if left_s <= 0:
                return None
            self._sleep(min(left_s, QUIET_S if self._scanner.is_quiet else SCAN_S))
        return None
