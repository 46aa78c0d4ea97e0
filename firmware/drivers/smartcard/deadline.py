"""Not pyscard's: how long a wait may still last, on either interpreter."""

import time

if hasattr(time, "ticks_ms"):  # MicroPython; its counter starts again at zero after some time
    _now_ms = time.ticks_ms
    _difference = time.ticks_diff  # type: ignore[attr-defined]
else:

    def _now_ms():
        return time.monotonic_ns() // 1000000

    def _difference(later, earlier):
        return later - earlier


class Deadline:
    """seconds: int or float from now; None: without a limit."""

    def __init__(self, seconds):
        self._limit_ms = None if seconds is None else int(seconds * 1000)
        self._start = _now_ms()

    def left_ms(self, at_most):
        """0..at_most."""
        if self._limit_ms is None:
            return at_most
        left = self._limit_ms - _difference(_now_ms(), self._start)
        return max(0, min(left, at_most))

    def is_over(self):
        return self.left_ms(1) == 0


def pause_ms(milliseconds):
    time.sleep(milliseconds / 1000)
