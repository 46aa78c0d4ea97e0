"""A key matrix: what listening to it costs, and how soon a key is told.  The pins are emulated."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable

from firmware.drivers.gpio import Pins
from firmware.drivers.matrix import QUIET_S, SETTLE_S, MatrixKeys
from firmware.drivers.matrix_wires import MatrixWires
from tests.bench.figure import Figure, percentile

_LAYOUT = [row.split() for row in ("1 2 3 cancel", "4 5 6 clear", "7 8 9 menu", "- 0 up confirm")]
_ROWS, _COLUMNS = (1, 2, 3, 4), (5, 6, 7, 8)
_PRESS_S = 0.1


class _Library:
    """RPi.GPIO's calls, on a matrix with one key, 5, down or not."""

    IN, OUT, LOW, PUD_UP = 1, 0, 0, 2

    def __init__(self) -> None:
        self.driven: set[int] = set()
        self.is_down = False
        self.pressed_at = 0.0

    def press(self) -> None:
        self.pressed_at, self.is_down = time.perf_counter(), True

    def setup(self, pin: int, direction: int, **how: int) -> None:
        (self.driven.add if direction == self.OUT else self.driven.discard)(pin)

    def input(self, pin: int) -> int:
        return int(not (self.is_down and pin == _COLUMNS[1] and _ROWS[1] in self.driven))


def measure(listen_s: float, presses: int) -> dict[str, Figure]:
    library = _Library()
    keys = MatrixKeys(MatrixWires(Pins(lambda: library), _ROWS, _COLUMNS), _LAYOUT)
    return {
        "pad.idle_cpu_ms_per_min": _idle(keys, listen_s),
        "pad.key_ms.p50": _pressed(keys, library, presses),
    }


def _idle(keys: MatrixKeys, listen_s: float) -> Figure:
    def cost(pass_time: Callable[[], object]) -> float:
        began, ends = time.process_time(), time.monotonic() + listen_s
        while time.monotonic() < ends:
            pass_time()
        return (time.process_time() - began) * 1000 * 60 / listen_s

    bare = cost(lambda: time.sleep(QUIET_S))
    value = cost(lambda: keys.key(0.1, lambda: False))
    note = (
        f"processor time of a minute of listening to 4 x 4 keys, none down, from {listen_s:g} s; "
        "without what the chip's driver takes.  Reference: the same sleeps alone"
    )
    return Figure(value, "ms", bare, note)


def _pressed(keys: MatrixKeys, library: _Library, presses: int) -> Figure:
    dice, took_ms = random.Random(7), []
    for _ in range(presses):
        library.is_down = False
        keys.key(_PRESS_S, lambda: False)  # let go, and told as let go
        delay_s = dice.uniform(0.05, 0.05 + QUIET_S)
        threading.Timer(delay_s, library.press).start()
        if keys.key(1.0, lambda: False) != "5":
            raise RuntimeError("the key was not told")
        took_ms.append((time.perf_counter() - library.pressed_at) * 1000)
    note = (
        f"from a key's closing to its name, {presses} presses, p90 "
        f"{percentile(took_ms, 90):.0f} ms.  Reference: the time for which it must not bounce"
    )
    return Figure(percentile(took_ms, 50), "ms", SETTLE_S * 1000, note)
