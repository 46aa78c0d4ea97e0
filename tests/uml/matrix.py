"""A key matrix over rpi-lgpio over the kernel's own gpiochip: runs inside UML.

The wires are the checks': before each reading a column is pulled to what the keys held down and
the levels of the rows, as gpio-sim tells them, make of it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from firmware.drivers.gpio import Pins, open_pins
from firmware.drivers.keyed import KeyedPad
from firmware.drivers.matrix import Crossing, MatrixKeys
from firmware.drivers.matrix_wires import MatrixWires
from firmware.drivers.pad import Pad
from firmware.secret import Pin
from tests.uml.board import level, pull

ROWS, COLUMNS = (5, 6, 12, 13), (16, 17, 22, 23)
LONG_S = 100.0  # reached only when something is broken
LAYOUT = [row.split() for row in ("1 2 3 cancel", "4 5 6 clear", "7 8 9 menu", "- 0 up confirm")]
AT = {name: (row, at) for row, keys in enumerate(LAYOUT) for at, name in enumerate(keys)}


class Wired:
    """The library, with a matrix at its pins."""

    def __init__(self, pins: Pins):
        self._pins = pins
        self.down: set[str] = set()

    def ask(self, act: Callable[[Any], Any]) -> Any:
        def through(library: Any) -> Any:
            self._library = library
            return act(self)

        return self._pins.ask(through)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._library, name)

    def input(self, pin: int) -> int:
        driven = [row for row, line in enumerate(ROWS) if level(line) == 0]
        keys = {AT[name] for name in self.down}
        at = COLUMNS.index(pin)
        pull(pin, not any((row, at) in keys for row in driven))
        return int(self._library.input(pin))


@contextlib.contextmanager
def matrix() -> Iterator[Wired]:
    opened = open_pins()
    try:
        yield Wired(opened)
    finally:
        opened.close()


def check_each_crossing_is_told_apart() -> None:
    with matrix() as wired:
        wires = MatrixWires(wired, ROWS, COLUMNS)
        assert wires.closed() == frozenset()
        for name, crossing in AT.items():
            wired.down = {name}
            assert wires.closed() == {crossing}, name
        wired.down = {"1", "5", "confirm"}
        assert wires.closed() == {AT["1"], AT["5"], AT["confirm"]}
        wired.down = set()
        assert wires.closed() == frozenset()


def check_rows_at_rest_are_low_and_one_at_a_time_when_a_key_is_down() -> None:
    with matrix() as wired:
        wires = MatrixWires(wired, ROWS, COLUMNS)
        wires.closed()
        assert [level(row) for row in ROWS] == [0, 0, 0, 0]
        seen = set()
        found = wired.input

        def watched(pin: int) -> int:
            seen.add(tuple(level(row) for row in ROWS))
            return found(pin)

        wired.down = {"5"}
        wired.input = watched  # type: ignore[method-assign]
        wires.closed()
        alone = {tuple(int(row != each) for row in range(4)) for each in range(4)}
        assert seen == {(0, 0, 0, 0)} | alone, "a row that is not driven is an input, pulled up"
        assert [level(row) for row in ROWS] == [0, 0, 0, 0]


class Typed:
    """Wires at which a person types: each key down for 8 looks, then up for 6.  By looks, not by
    the clock: a machine that is busy must not swallow a key."""

    def __init__(self, wired: Wired, *names: str):
        self._wired = wired
        self._wires = MatrixWires(wired, ROWS, COLUMNS)
        self._names = names
        self._looks = 0

    def closed(self) -> frozenset[Crossing]:
        at, part = divmod(self._looks, 14)
        self._looks += 1
        self._wired.down = {self._names[at]} if at < len(self._names) and part < 8 else set()
        return self._wires.closed()


def check_a_pin_is_typed() -> None:
    with matrix() as wired:
        keys = MatrixKeys(Typed(wired, *"80", "clear", *"806427", "confirm"), LAYOUT)
        pad = Pad(KeyedPad(keys, LONG_S))
        assert pad.read_pin(LONG_S, lambda: False) == Pin.from_digits("806427")
