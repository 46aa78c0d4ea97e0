"""How often one host may ask: so many requests at once, then so many a second."""

from __future__ import annotations

AT_ONCE = 20
EACH_S = 10.0


class Pace:
    """A bucket of turns that fills by itself."""

    def __init__(self, at_once: int = AT_ONCE, each_s: float = EACH_S):
        self._at_once = at_once
        self._each_s = each_s
        self._turns = float(at_once)
        self._at_s: float | None = None

    def wait_s(self, now_s: float) -> float:
        """Take one turn; how long to wait for it.  now_s: monotonic."""
        since_s = 0.0 if self._at_s is None else max(0.0, now_s - self._at_s)
        self._at_s = now_s
        self._turns = min(float(self._at_once), self._turns + since_s * self._each_s) - 1.0
        return max(0.0, -self._turns / self._each_s)
