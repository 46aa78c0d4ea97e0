"""The keys beside the screen, confirm and cancel: pressed is low (a key to ground)."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from queue import Empty, Full, Queue

from firmware.drivers.gpio import Input, Pins

CONFIRM, CANCEL = "confirm", "cancel"
_KEPT = 8
"""Presses that nobody asked for yet; further ones are lost."""


class Keys:
    """Presses, one after another.

    when_cancelled: called at each press of the cancel key first; True: that was what it was for,
    and it waits for nobody, or it would cancel what comes next as well.
    """

    def __init__(self, pins: Pins, confirm_pin: int | None, cancel_pin: int | None):
        self.when_cancelled: Callable[[], bool] = lambda: False
        self._presses: Queue[str] = Queue(_KEPT)
        self._inputs: dict[str, Input] = {}
        for name, pin in ((CONFIRM, confirm_pin), (CANCEL, cancel_pin)):
            if pin is not None:
                self._inputs[name] = pins.input(pin)
        for name, key in self._inputs.items():
            key.on_change(self._listener(name))

    def look(self) -> None:
        """At first and now and then: no key is heard before; a chip may come late, an edge get
        lost.  Raises GpioError."""
        for key in self._inputs.values():
            key.look()

    def get(self, timeout_s: float) -> str | None:
        """CONFIRM or CANCEL, whatever was pressed first; None when the time is over."""
        try:
            return self._presses.get(timeout=timeout_s)
        except Empty:
            return None

    def clear(self) -> None:
        """Forget what was pressed while nobody had asked."""
        while not self._presses.empty():
            self.get(0)

    def _listener(self, name: str) -> Callable[[bool], None]:
        def heard(level: bool) -> None:
            if level:
                return  # let go
            if name == CANCEL and self.when_cancelled():
                return
            with contextlib.suppress(Full):
                self._presses.put_nowait(name)

        return heard
