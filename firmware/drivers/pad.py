"""The PIN pad: digits from a device become a Pin, or the outcome that says why there is none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from firmware.outcome import Outcome, outcome
from firmware.secret import Pin, wipe

# A key pad takes 4 to 12 digits (SPEC-P8); the card itself would take up to 16.
MIN_DIGITS = 4
MAX_DIGITS = 12

Typed = Callable[[int, float], None]
"""(digits typed so far, seconds left): for the stars on the screen; it never learns a digit."""


def untold(stars: int, left_s: float) -> None:
    """Nobody looks."""


class KeysRefusedError(OSError):
    """The pad is there, but does not hold this unit's key, or answers what no pad may answer."""


class Keys(Protocol):
    """What a device offers; OSError when it is broken or gone."""

    def digits(
        self, timeout_s: float, cancelled: Callable[[], bool], typed: Typed
    ) -> bytearray | None:
        """The digits in ASCII before the confirming key, for the caller to wipe; None: the holder
        cancelled, or cancelled() is true.  Raises TimeoutError."""

    def key(self, timeout_s: float, interrupted: Callable[[], bool]) -> str | None:
        """The next key pressed, one of board_devices.KEY_NAMES; None: none in that time, or
        interrupted() is true.  While no PIN is asked for."""


class Pad:
    def __init__(self, keys: Keys):
        self._keys = keys

    def read_pin(
        self, timeout_s: float, cancelled: Callable[[], bool], typed: Typed = untold
    ) -> Pin | Outcome:
        """A Pin, or PIN_CANCELLED, PIN_NOT_ENTERED (time over, or no 4 to 12 digits: the card is
        not asked, so no try is lost), PIN_PAD_MISSING (the pad is broken), PIN_PAD_REFUSED."""
        try:
            digits = self._keys.digits(timeout_s, cancelled, typed)
        except TimeoutError:
            return outcome("PIN_NOT_ENTERED")
        except KeysRefusedError:
            return outcome("PIN_PAD_REFUSED")
        except OSError:
            return outcome("PIN_PAD_MISSING")
        if digits is None:
            return outcome("PIN_CANCELLED")
        try:
            if not MIN_DIGITS <= len(digits) <= MAX_DIGITS:
                return outcome("PIN_NOT_ENTERED")
            return Pin.from_ascii(digits)
        except ValueError:
            return outcome("PIN_NOT_ENTERED")
        finally:
            wipe(digits)

    def key(self, timeout_s: float, interrupted: Callable[[], bool]) -> str | None:
        """As Keys.key.  Raises OSError."""
        return self._keys.key(timeout_s, interrupted)

    def look(self) -> str:
        """What is known of it without a PIN.  Raises OSError."""
        look: Callable[[], str] | None = getattr(self._keys, "look", None)
        return "named; it is asked when a PIN is needed" if look is None else look()
