"""Drawing one message for a panel, over what luma takes to turn the picture into bytes."""

from __future__ import annotations

import time
import warnings
from typing import Any

from firmware.display.pages import MAIN_FLOW
from firmware.display.panel import COLOUR, MONO, pictures
from firmware.display.sheets import sample
from tests.bench.figure import Figure, milliseconds

LIMIT_MS = 10


class _NoBus:
    """A bus that takes no time."""

    def command(self, *command: int) -> None: ...

    def data(self, data: Any) -> None: ...

    def cleanup(self) -> None: ...


def measure(rounds: int) -> dict[str, Figure]:
    """Two rows; each message of the main flow so many times, after one that is not counted."""
    return {f"display.frame_ms.p50.{kind}": _row(kind, rounds) for kind in (MONO, COLOUR)}


def _row(kind: str, rounds: int) -> Figure:
    device = _device(kind)
    drawn_ns, sent_ns, first_ns = [], [], []
    for at in range(rounds + 1):
        for name in MAIN_FLOW:
            shown = sample(name)
            begun = time.perf_counter_ns()
            picture = pictures(shown, kind)[0]
            drawn = time.perf_counter_ns()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)  # luma asks Pillow for getdata
                device.display(picture)
            ended = time.perf_counter_ns()
            if at == 0:
                first_ns.append(drawn - begun)
            else:
                drawn_ns.append(drawn - begun)
                sent_ns.append(ended - drawn)
    note = (
        f"one message of a payment drawn for a {kind} panel, limit {LIMIT_MS} ms; "
        f"p99 {milliseconds(drawn_ns, 99):.2f} ms, the slowest at first sight "
        f"{milliseconds(first_ns, 100):.1f} ms (letters are kept).  Reference: luma turning that "
        "picture into bytes for a bus that takes no time"
    )
    return Figure(milliseconds(drawn_ns), "ms", milliseconds(sent_ns), note)


def _device(kind: str) -> Any:
    if kind == COLOUR:
        from luma.lcd.device import st7789

        return st7789(_NoBus(), backlight=lambda on: None)
    from luma.oled.device import ssd1306

    return ssd1306(_NoBus())
