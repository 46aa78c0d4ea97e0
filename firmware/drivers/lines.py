"""The lines of a contact slot beside I/O: card detect, supply, reset.

Who switches them differs (pins of the board, modem lines of a UART, a test); the reader does not
care.
"""

from __future__ import annotations

from typing import Protocol


class Lines(Protocol):
    """One slot.  Every method raises TransportError when the lines themselves are gone."""

    def has_card(self) -> bool | None:
        """None: not known, because nothing is wired to tell."""

    def power(self, on: bool) -> None:
        """The slot's supply; quietly nothing where it is always on."""

    def reset(self, asserted: bool) -> None:
        """asserted: RST is low, the card stands still (ISO 7816-3 6.2)."""


class Modem(Protocol):
    """The control lines of a UART: True is active."""

    def set_rts(self, active: bool) -> None: ...
    def set_dtr(self, active: bool) -> None: ...
    def carrier(self) -> bool | None:
        """DCD; None where the UART has none."""


class ModemLines:
    """The two old interfaces for a UART with a level shifter: RTS drives RST, DTR feeds the
    interface, DCD may tell of a card.

    is_inverted: False is "phoenix" (RTS active holds the card in reset), True "smartmouse" (RTS
    active releases it).  has_switch: DCD is wired to the card switch; a UART shows a level there
    in any case.
    """

    def __init__(self, modem: Modem, *, is_inverted: bool = False, has_switch: bool = False):
        self._modem = modem
        self._is_inverted = is_inverted
        self._has_switch = has_switch

    def has_card(self) -> bool | None:
        return self._modem.carrier() if self._has_switch else None

    def power(self, on: bool) -> None:
        self._modem.set_dtr(on)

    def reset(self, asserted: bool) -> None:
        self._modem.set_rts(asserted != self._is_inverted)
