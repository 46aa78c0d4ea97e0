"""The card holder at the PIN pad: types what it was told to, cancels, or stays away."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

# How often a waiting pad looks whether the clerk cancelled.
_POLL_S = 0.02

Typed = Callable[[int, float], None]
"""(digits typed so far, seconds left)."""


def untold(stars: int, left_s: float) -> None:
    """Nobody looks."""


class Holder:
    """A queue of acts; each request of the pad takes one.  Safe to call from any thread."""

    def __init__(self) -> None:
        self._acts: deque[str | None] = deque()
        self._keys: deque[str] = deque()
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

    def press(self, *names: str) -> None:
        """These keys, one after the other, while no PIN is asked for."""
        with self._told:
            self._keys.extend(names)
            self._told.notify_all()

    def forget(self) -> None:
        """Drop all that was not done yet."""
        with self._told:
            self._acts.clear()
            self._keys.clear()

    def _tell(self, act: str | None) -> None:
        with self._told:
            self._acts.append(act)
            self._told.notify_all()

    def digits(
        self, timeout_s: float, cancelled: Callable[[], bool], typed: Typed = untold
    ) -> bytearray | None:
        """What the holder typed, in ASCII, or None when they or `cancelled()` ended it.

        Raises TimeoutError when nobody typed within timeout_s.
        """
        ends = time.monotonic() + timeout_s
        typed(0, timeout_s)
        with self._told:
            self.times_asked += 1
            while not cancelled():
                if self._acts:
                    act = self._acts.popleft()
                    break
                left_s = ends - time.monotonic()
                if left_s <= 0:
                    raise TimeoutError("nobody typed a PIN")
                self._told.wait(min(left_s, _POLL_S))
            else:
                return None
        if act is None:
            return None
        for stars in range(1, len(act) + 1):
            typed(stars, max(0.0, ends - time.monotonic()))
        return bytearray(act, "ascii")

    def key(self, timeout_s: float, interrupted: Callable[[], bool]) -> str | None:
        """The next key pressed; None: none in that time, or interrupted() is true."""
        ends = time.monotonic() + timeout_s
        with self._told:
            while not interrupted():
                if self._keys:
                    return self._keys.popleft()
                left_s = ends - time.monotonic()
                if left_s <= 0:
                    return None
                self._told.wait(min(left_s, _POLL_S))
            return None

    def __repr__(self) -> str:
        return f"<Holder, {len(self._acts)} acts to come>"
