"""A PIN from a pad that tells key by key: what confirm, clear and cancel do, and the time-outs."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Protocol

from firmware.drivers.pad import MAX_DIGITS, MIN_DIGITS, Typed
from firmware.secret import wipe

_LOOK_S = 0.25
"""How often the seconds left are looked at while no key comes."""


class Keyboard(Protocol):
    def key(self, timeout_s: float, interrupted: Callable[[], bool]) -> str | None:
        """As pad.Keys.key."""

    def look(self) -> str:
        """What is known of it without a PIN.  Raises OSError."""


class KeyedPad:
    """Keys (drivers/pad.py) of a plain keyboard.

    key_s: so long after one key the next must come; the first may take the whole time.
    """

    def __init__(
        self, keyboard: Keyboard, key_s: float, monotonic: Callable[[], float] = time.monotonic
    ):
        self._keyboard = keyboard
        self._key_s = key_s
        self._monotonic = monotonic

    def digits(
        self, timeout_s: float, cancelled: Callable[[], bool], typed: Typed
    ) -> bytearray | None:
        """Clear begins anew; confirm below 4 digits and a digit beyond 12 do nothing."""
        found = bytearray(MAX_DIGITS)  # its room from the start: growing would leave a copy behind
        try:
            count = self._type(found, timeout_s, cancelled, typed)
            return None if count is None else found[:count]
        finally:
            wipe(found)

    def _type(
        self,
        found: bytearray,
        timeout_s: float,
        cancelled: Callable[[], bool],
        typed: Typed,
    ) -> int | None:
        ends = key_ends = self._monotonic() + timeout_s
        count, told = 0, (-1, -1)
        while not cancelled():
            left_s = min(ends, key_ends) - self._monotonic()
            if left_s <= 0:
                raise TimeoutError("no PIN in time")
            if told != (now := (count, math.ceil(left_s))):
                typed(count, left_s)
                told = now
            key = self._keyboard.key(min(left_s, _LOOK_S), cancelled)
            if key is None:
                continue
            key_ends = self._monotonic() + self._key_s
            if key == "cancel":
                return None
            if key == "confirm" and count >= MIN_DIGITS:
                return count
            if key == "clear":
                wipe(found, keep_length=True)
                count = 0
            elif key.isdigit() and count < MAX_DIGITS:
                found[count] = ord(key)
                count += 1
        return None

    def key(self, timeout_s: float, interrupted: Callable[[], bool]) -> str | None:
        return self._keyboard.key(timeout_s, interrupted)

    def look(self) -> str:
        """As Keyboard.look."""
        return self._keyboard.look()
