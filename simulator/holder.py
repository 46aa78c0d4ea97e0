"""The card holder at the PIN pad: types what it was told to, cancels, or stays away."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

# How often a waiting pad looks whether the clerk cancelled.
_POLL_S = 0.02


class Holder:
    """A queue of acts; each request of the pad takes one.  Safe to call from any thread."""

    def __init__(self) -> None:
        self._acts: deque[str | None] = deque()
        self._told = threading.Condition()
        self.times_asked = 0

    def type_pin(self, digits: str) -> None:
        """At the next request: these digits.  Raises ValueError for anything but digits."""
        if not (digits.isascii() and digits.isdigit()):
            raise ValueError("a PIN pad has decimal digits only")
        self._tell(digits)

    def cancel(self) -> None:
        """At the next request: the cancel key."""
        self._tell(None)

    def forget(self) -> None:
        """Drop all that was not done yet."""
        with self._told:
            self._acts.clear()

    def _tell(self, act: str | None) -> None:
        with self._told:
            self._acts.append(act)
            self._told.notify_all()

    def digits(self, timeout_s: float, cancelled: Callable[[], bool]) -> str | None:
        """What the holder typed, or None when they or `cancelled()` ended it.

        Raises TimeoutError when nobody typed within timeout_s.
        """
        ends = time.monotonic() + timeout_s
        with self._told:
            self.times_asked += 1
            while not cancelled():
                if self._acts:
                    return self._acts.popleft()
                left_s = ends - time.monotonic()
                if left_s <= 0:
                    raise TimeoutError("nobody typed a PIN")
                self._told.wait(min(left_s, _POLL_S))
            return None

    def __repr__(self) -> str:
        return f"<Holder, {len(self._acts)} acts to come>"
