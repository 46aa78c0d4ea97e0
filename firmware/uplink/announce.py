"""When a unit says, unasked, that batches wait: while nobody asks, ever more rarely, never on time
with another unit."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

FIRST_S = 1.0
LONGEST_S = 60.0
QUIET_S = 10.0  # after a question
_LOOK_EVERY_S = 1.0  # how often the waiting batches are listed


class Announcer:
    """`pending` lists the waiting batches; `spread` draws from between its two arguments."""

    def __init__(
        self,
        pending: Callable[[], list[int]],
        spread: Callable[[float, float], float] = random.uniform,
    ):
        self._pending = pending
        self._spread = spread
        self._newest = 0  # of those announced
        self._wait_s = FIRST_S
        self._due_s = self._quiet_s = self._look_s = -math.inf

    def asked(self, now_s: float) -> None:
        """The office asked a question: it is there and asks by itself."""
        self._quiet_s = now_s + QUIET_S

    def due(self, now_s: float) -> int | None:
        """The oldest waiting batch when it is time to announce it.  Raises OSError."""
        if now_s < max(self._look_s, self._quiet_s):
            return None
        self._look_s = now_s + _LOOK_EVERY_S
        waiting = self._pending()
        if not waiting:
            return None
        if waiting[-1] > self._newest:  # worth saying at once
            self._newest, self._wait_s, self._due_s = waiting[-1], FIRST_S, now_s
        if now_s < self._due_s:
            return None
        self._due_s = now_s + self._spread(self._wait_s / 2, self._wait_s)
        self._wait_s = min(2 * self._wait_s, LONGEST_S)
        return waiting[0]
