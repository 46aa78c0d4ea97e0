"""Confirm and cancel beside the screen work as those of the pad; so does a board.toml with both."""

from __future__ import annotations

from collections import deque
from pathlib import Path

import pytest

from firmware import board as boards
from firmware import parts
from firmware.drivers.gpio import Pins
from firmware.drivers.joined import JoinedKeys
from firmware.drivers.keys import Keys
from firmware.secret import Pin
from tests.rig import BOARD
from tests.test_drivers_matrix import COLUMNS, ROWS, Wires, keys_of, presses

PAD = """[pad]
address = "gpio:matrix"
rows = [7, 8, 9, 10]
columns = [11, 14, 15, 18]
keys = ["1 2 3 cancel", "4 5 6 clear", "7 8 9 menu", "- 0 up confirm"]
"""


class Beside:
    def __init__(self, *names: str):
        self.names = deque(names)

    def get(self, timeout_s: float) -> str | None:
        assert timeout_s == 0
        return self.names.popleft() if self.names else None

    def clear(self) -> None:
        self.names.clear()


def test_keys_of_both_come_in_their_order_and_old_ones_are_forgotten() -> None:
    pad, passing, _ = keys_of(list(presses("1", "2")))
    beside = Beside("cancel")
    keys = JoinedKeys(pad, beside, lambda: passing.now)
    assert keys.key(0.15, lambda: False) == "1", "cancel was pressed while nobody asked"
    beside.names.append("confirm")
    assert keys.key(0.5, lambda: False) == "confirm"
    assert keys.key(0.5, lambda: False) == "2"
    began = passing.now
    assert keys.key(0.5, lambda: False) is None
    assert passing.now - began == pytest.approx(0.5, abs=0.06)
    assert keys.key(5, lambda: True) is None


def board(folder: Path, more: str = "") -> boards.Board:
    text = BOARD.replace('[pad]\naddress = "sim:inprocess:test#pad"\n', PAD + more)
    return boards.parse(text, str(folder / "board.toml"))


class Typist(Wires):
    """Wires with a person at the keys: each down for 8 looks, then up for 6.  By looks, not by the
    clock: a machine that is busy must not swallow a key."""

    def __init__(self, *names: str):
        super().__init__()
        self._names, self._looks = names, 0

    def input(self, pin: int) -> int:
        if pin == COLUMNS[0] and self.driven == set(ROWS):
            at, part = divmod(self._looks, 14)
            self._looks += 1
            self.down = {self._names[at]} if at < len(self._names) and part < 8 else set()
        return super().input(pin)


@pytest.mark.parametrize("last", ["confirm", "beside"])
def test_a_pin_from_the_matrix_of_board_toml(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, last: str
) -> None:
    wires = Typist(*"806427", "confirm" if last == "confirm" else "up")
    pins = Pins(lambda: wires)
    beside = Keys(pins, None, None)
    pad = parts.pad(board(tmp_path), pins, beside)
    assert pad is not None
    stars: list[int] = []
    if last == "beside":
        monkeypatch.setattr(beside, "get", lambda s: "confirm" if stars[-1:] == [6] else None)
    found = pad.read_pin(10, lambda: False, lambda count, left_s: stars.append(count))
    assert found == Pin.from_digits("806427")
    assert set(ROWS) == wires.driven, "at rest all rows are driven"
    assert not wires.driven & set(COLUMNS)


def test_who_is_listened_to_between_pins(tmp_path: Path) -> None:
    pins = Pins(lambda: None)
    sim = boards.parse(BOARD, str(tmp_path / "board.toml"))
    matrix = board(tmp_path)
    pad = parts.pad(matrix, pins)
    assert parts.presses(sim, None, None) is None
    assert parts.presses(sim, pad, None) is None, "no menu: the simulator is not asked"
    assert parts.presses(matrix, pad, None) is not None
    menu = boards.parse(BOARD + "[menu]\n", str(tmp_path / "board.toml"))
    assert parts.presses(menu, pad, None) is not None
    joined = parts.presses(menu, pad, Keys(pins, None, None))
    assert isinstance(getattr(joined, "__self__", None), JoinedKeys)
