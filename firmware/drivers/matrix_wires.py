"""The wires of a key matrix on pins: columns read with pull-ups, rows pulled low one at a time.

A row that is not driven is an input: were it driven high, two keys held down in one column would
join a high and a low output.  Edges and debouncing of drivers/gpio.py are not used: a level read
through the kernel's debouncing lags behind the row that is driven.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from firmware.drivers.matrix import Crossing


class Pins(Protocol):
    """drivers/gpio.py::Pins."""

    def ask(self, act: Callable[[Any], Any]) -> Any:
        """What act(library) gives, library being RPi.GPIO in BCM mode.  Raises OSError."""


class MatrixWires:
    """rows, columns: BCM numbers, in the order of the layout."""

    def __init__(self, pins: Pins, rows: Sequence[int], columns: Sequence[int]):
        self._pins = pins
        self._rows = rows
        self._columns = columns
        self._is_claimed = False

    def closed(self) -> frozenset[Crossing]:
        """All rows at once first: while no key is down one look is enough.  Raises OSError, and
        the next call claims the pins anew."""
        try:
            found: frozenset[Crossing] = self._pins.ask(self._look)
        except OSError:
            self._is_claimed = False
            raise
        return found

    def _look(self, library: Any) -> frozenset[Crossing]:
        if not self._is_claimed:
            for column in self._columns:
                library.setup(column, library.IN, pull_up_down=library.PUD_UP)
            self._drive(library, self._rows)
            self._is_claimed = True
        if not self._low(library):
            return frozenset()
        found = set()
        for at, row in enumerate(self._rows):
            self._drive(library, [row])
            found |= {(at, column) for column in self._low(library)}
        self._drive(library, self._rows)
        return frozenset(found)

    def _low(self, library: Any) -> list[int]:
        """The columns that a driven row pulls down, by their place."""
        return [at for at, pin in enumerate(self._columns) if not library.input(pin)]

    def _drive(self, library: Any, driven: Sequence[int]) -> None:
        for row in self._rows:
            if row not in driven:
                library.setup(row, library.IN, pull_up_down=library.PUD_UP)
        for row in driven:
            library.setup(row, library.OUT, initial=library.LOW)
