"""The keys beside the screen joined to those of a pad: confirm and cancel work on either."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Protocol

from firmware.drivers.keyed import Keyboard

_LOOK_S = 0.05
"""Between two looks at the keys beside the screen, while the pad is listened to."""
_STALE_S = 1.0
"""What was pressed while nobody asked for so long was meant for something else."""


class Beside(Protocol):
    """drivers/keys.py::Keys."""

    def get(self, timeout_s: float) -> str | None: ...
    def clear(self) -> None: ...


class JoinedKeys:
    """A keyed.Keyboard."""

    def __init__(
        self, pad: Keyboard, beside: Beside, monotonic: Callable[[], float] = time.monotonic
    ):
        self._pad = pad
        self._beside = beside
        self._monotonic = monotonic
        self._asked_at = -math.inf

    def key(self, timeout_s: float, interrupted: Callable[[], bool]) -> str | None:
        """Raises OSError for the pad; the keys beside the screen are silent when they fail."""
        now = self._monotonic()
        if now - self._asked_at > _STALE_S:
            self._beside.clear()
        ends = now + timeout_s
        try:
            while not interrupted():
                found = self._beside.get(0)
                left_s = ends - self._monotonic()
                if found is None:
                    found = self._pad.key(max(0.0, min(left_s, _LOOK_S)), interrupted)
                if found is not None or left_s <= 0:
                    return found
            return None
        finally:
            self._asked_at = self._monotonic()

    def look(self) -> str:
        """What the pad says of itself.  Raises OSError."""
        return self._pad.look()
