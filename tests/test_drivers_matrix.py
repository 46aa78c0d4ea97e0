"""The key matrix: debounced, one key at a time, ghosts refused; on wires that behave like wires."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware.drivers.keyed import KeyedPad
from firmware.drivers.matrix import SCAN_S, SETTLE_S, Crossing, MatrixKeys, Scanner
from firmware.drivers.matrix_wires import MatrixWires
from firmware.drivers.pad import Pad
from firmware.secret import Pin

LAYOUT = [row.split() for row in ("1 2 3 cancel", "4 5 6 clear", "7 8 9 menu", "- 0 up confirm")]
AT = {name: (row, at) for row, keys in enumerate(LAYOUT) for at, name in enumerate(keys)}
ROWS, COLUMNS = [7, 8, 9, 10], [11, 14, 15, 18]
STEP_S = 0.005


def counted(looks: Iterable[Iterable[Crossing]]) -> list[str]:
    """The keys that count when the matrix is looked at every STEP_S."""
    scanner = Scanner(LAYOUT)
    found = (scanner.look(frozenset(each), at * STEP_S) for at, each in enumerate(looks))
    return [name for name in found if name is not None]


def held(names: str, s: float) -> list[set[Crossing]]:
    return [{AT[each] for each in names.split()}] * round(s / STEP_S)


def test_every_key_counts_once_however_long_it_is_held() -> None:
    names = [name for row in LAYOUT for name in row if name != "-"]
    looks = [look for name in names for look in held(name, 0.1) + held("", 0.05)]
    assert counted(looks) == names
    assert counted(held("5", 60)) == ["5"]


def test_a_key_that_bounces_counts_once() -> None:
    bounce = (held("5", STEP_S) + held("", STEP_S)) * 3
    assert counted(bounce + held("5", 0.1) + bounce + held("", 0.1)) == ["5"]


def test_shorter_than_the_settling_is_no_key() -> None:
    assert counted(held("5", SETTLE_S - STEP_S) + held("", 0.1)) == []


def test_the_same_key_twice_needs_to_be_let_go() -> None:
    assert counted(held("5", 0.1) + held("", 0.1) + held("5", 0.1)) == ["5", "5"]


@pytest.mark.parametrize("both", ["1 2", "1 4", "1 5", "confirm 9"])
def test_no_second_key_counts_while_one_is_down_nor_the_one_left_then(both: str) -> None:
    first, second = both.split()
    rolled = held(first, 0.1) + held(both, 0.1) + held(second, 0.1) + held("", 0.1)
    assert counted(rolled) == [first]
    assert counted(held(both, 0.1) + held(second, 0.1) + held("", 0.1) + held("7", 0.1)) == ["7"]


def test_a_place_without_a_key_gives_none() -> None:
    assert counted([{(3, 0)}] * 20) == []


crossings = st.frozensets(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=4)


@given(st.lists(st.tuples(crossings, st.integers(1, 12)), max_size=30))
def test_no_key_counts_that_was_not_alone_and_still(parts: list[tuple[frozenset[Crossing], int]]):
    """Whatever the wires do: a key that counts was the only one for the whole settling time, and
    all were up before it."""
    looks = [each for closed, times in parts for each in [closed] * times]
    scanner, was_up = Scanner(LAYOUT), True
    still = round(SETTLE_S / STEP_S)
    for at, closed in enumerate(looks):
        name = scanner.look(closed, at * STEP_S)
        recent = looks[max(0, at - still) : at + 1]
        if name is not None:
            assert was_up
            assert set(recent) == {frozenset([AT[name]])}
            was_up = False
        elif len(recent) > still and set(recent) == {frozenset()}:
            was_up = True


# -- on wires --------------------------------------------------------------------------------------


class Wires:
    """RPi.GPIO's calls on a matrix without diodes: current takes every way through closed keys."""

    IN, OUT, LOW, PUD_UP = "in", "out", 0, "up"

    def __init__(self) -> None:
        self.driven: set[int] = set()
        self.down: set[str] = set()
        self.is_broken = False
        self.shorts = 0

    def ask(self, act):
        if self.is_broken:
            raise OSError("no such chip")
        return act(self)

    def setup(self, pin, direction, pull_up_down=None, initial=None):
        assert pin in ROWS + COLUMNS
        if direction == self.OUT:
            assert initial == self.LOW, "a row is never driven high: two keys could short it"
            self.driven.add(pin)
        else:
            assert pull_up_down == self.PUD_UP
            self.driven.discard(pin)

    def input(self, pin):
        joined, size = set(self.driven), 0
        while len(joined) != size:
            size = len(joined)
            for name in self.down:
                pair = {ROWS[AT[name][0]], COLUMNS[AT[name][1]]}
                if pair & joined:
                    joined |= pair
        return int(pin not in joined)


class Time:
    """Passes when somebody sleeps; presses come at their moments."""

    def __init__(self, wires: Wires, plan: list[tuple[float, set[str]]]):
        self.now, self.looks = 0.0, 0
        self._wires, self._plan = wires, plan

    def sleep(self, seconds: float) -> None:
        assert 0 < seconds <= 0.02
        self.looks += 1
        self.now += seconds
        while self._plan and self._plan[0][0] <= self.now:
            self._wires.down = self._plan.pop(0)[1]


def keys_of(plan: list[tuple[float, set[str]]], wires: Wires | None = None):
    wires = wires or Wires()
    passing = Time(wires, plan)
    matrix = MatrixWires(wires, ROWS, COLUMNS)
    return MatrixKeys(matrix, LAYOUT, lambda: passing.now, passing.sleep), passing, wires


def presses(*names: str, every_s: float = 0.2) -> Iterator[tuple[float, set[str]]]:
    for at, name in enumerate(names):
        yield 0.1 + at * every_s, {name}
        yield 0.1 + at * every_s + every_s / 2, set()


def test_every_key_of_the_matrix_is_told_by_its_wires() -> None:
    names = [name for row in LAYOUT for name in row if name != "-"]
    keys, passing, _ = keys_of(list(presses(*names)))
    found = []
    while passing.now < 5:
        found.append(keys.key(0.1, lambda: False))
    assert [each for each in found if each] == names


def test_three_keys_close_a_fourth_crossing_and_none_counts() -> None:
    """1, 2 and 4 held: the wires say 5 too."""
    wires = Wires()
    wires.down = {"1", "2", "4"}
    assert MatrixWires(wires, ROWS, COLUMNS).closed() == {(0, 0), (0, 1), (1, 0), (1, 1)}
    keys, _, _ = keys_of([(0.1, {"1", "2", "4"}), (0.5, set()), (0.7, {"9"})])
    assert keys.key(2.0, lambda: False) == "9"


def test_a_whole_pin_typed_at_a_person_s_pace() -> None:
    keys, passing, _ = keys_of(list(presses(*"123", "clear", *"806427", "confirm")))
    pad = Pad(KeyedPad(keys, 5.0, lambda: passing.now))
    stars = []
    assert pad.read_pin(30, lambda: False, lambda count, _: stars.append(count)) == (
        Pin.from_digits("806427")
    )
    assert max(stars) == 6


def test_while_no_key_is_down_it_looks_seldom_and_keeps_its_time() -> None:
    keys, passing, _ = keys_of([])
    assert keys.key(1.0, lambda: False) is None
    assert passing.now == pytest.approx(1.0, abs=0.001)
    assert passing.looks < 0.25 / SCAN_S + 10
    assert keys.key(5.0, lambda: passing.now > 1.5) is None
    assert passing.now < 1.6


def test_pins_that_cannot_be_had_are_a_missing_pad_and_come_back() -> None:
    keys, passing, wires = keys_of(list(presses(*"1234", "confirm")))
    pad = Pad(KeyedPad(keys, 5.0, lambda: passing.now))
    wires.is_broken = True
    assert pad.read_pin(5, lambda: False).name == "PIN_PAD_MISSING"
    wires.is_broken = False
    assert pad.read_pin(5, lambda: False) == Pin.from_digits("1234")
