"""The PIN pad: digits from a device become a Pin, or the outcome that says why there is none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from firmware.outcome import Outcome, outcome
from firmware.secret import Pin

# A key pad takes 4 to 12 digits (SPEC-P8); the card itself would take up to 16.
MIN_DIGITS = 4
MAX_DIGITS = 12


class Keys(Protocol):
    """What a device offers; OSError when it is broken or gone."""

    def digits(self, timeout_s: float, cancelled: Callable[[], bool]) -> str | None:
        """The digits before the confirming key; None: the holder cancelled, or cancelled() is
        true.  Raises TimeoutError."""


class Pad:
    def __init__(self, keys: Keys):
        self._keys = keys

    def read_pin(self, timeout_s: float, cancelled: Callable[[], bool]) -> Pin | Outcome:
        """A Pin, or PIN_CANCELLED, PIN_NOT_ENTERED (time over, or no 4 to 12 digits: the card is
        not asked, so no try is lost), PIN_PAD_MISSING (the pad is broken)."""
        try:
            digits = self._keys.digits(timeout_s, cancelled)
        except TimeoutError:
            return outcome("PIN_NOT_ENTERED")
        except OSError:
            return outcome("PIN_PAD_MISSING")
        if digits is None:
            return outcome("PIN_CANCELLED")
        if not MIN_DIGITS <= len(digits) <= MAX_DIGITS:
            return outcome("PIN_NOT_ENTERED")
        try:
            return Pin.from_digits(digits)
        except ValueError:
            return outcome("PIN_NOT_ENTERED")
        finally:
            del digits
