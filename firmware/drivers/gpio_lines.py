"""The lines of a contact slot on pins of the header: card detect, supply, reset (drivers/lines.py).

Supply: high is on.  Reset: the card's own RST, low while asserted.  A line without a pin is absent:
detect is then not known, the others quietly do nothing.
"""

from __future__ import annotations

from firmware.drivers.gpio import GpioError, Input, Output, Pins
from firmware.outcome import TransportError

DETECT_MS = 50
"""A card's contacts bounce for some tens of milliseconds while it is pushed in."""


class GpioLines:
    """power_pin, reset_pin, detect_pin: BCM numbers.  The slot is off and in reset at first.

    detect_low: the detect switch closes to ground when a card is in; False: it opens.
    """

    def __init__(
        self,
        pins: Pins,
        *,
        power_pin: int | None = None,
        reset_pin: int | None = None,
        detect_pin: int | None = None,
        detect_low: bool = True,
    ):
        self._power = None if power_pin is None else pins.output(power_pin)
        self._reset = None if reset_pin is None else pins.output(reset_pin)
        self._detect = None if detect_pin is None else pins.input(detect_pin, debounce_ms=DETECT_MS)
        self._detect_low = detect_low

    def has_card(self) -> bool | None:
        """None: no pin tells.  Raises TransportError."""
        if self._detect is None:
            return None
        return _read(self._detect) != self._detect_low

    def power(self, on: bool) -> None:
        """Raises TransportError."""
        if self._power is not None:
            _switch(self._power, on)

    def reset(self, asserted: bool) -> None:
        """Raises TransportError."""
        if self._reset is not None:
            _switch(self._reset, not asserted)


def _read(line: Input) -> bool:
    try:
        return line.value
    except GpioError as error:
        raise TransportError(str(error)) from None


def _switch(line: Output, on: bool) -> None:
    try:
        line.set(on)
    except GpioError as error:
        raise TransportError(str(error)) from None
