"""The switch of the case: closed to ground while the case is shut.

So the pin is high when the case is open, and when the wire is cut or pulled out.
"""

from __future__ import annotations

from firmware.drivers.gpio import Pins

DEBOUNCE_MS = 50
"""Nobody opens and shuts a case in less; a spark is over by then."""


class CaseSwitch:
    """Every method raises OSError when the pin cannot be had."""

    def __init__(self, pins: Pins, pin: int):
        self._input = pins.input(pin, debounce_ms=DEBOUNCE_MS)
        self._input.on_change(self._heard)
        self._has_opened = False

    def is_open(self) -> bool:
        return self._input.value

    def was_opened(self) -> bool:
        """Open now, or at any moment since the last call: it may be shut again."""
        is_open = self._input.value
        has_opened, self._has_opened = self._has_opened, False
        return is_open or has_opened

    def _heard(self, level: bool) -> None:
        if level:
            self._has_opened = True
