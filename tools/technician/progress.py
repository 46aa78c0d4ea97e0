"""Phase, per cent, MB/s and time left: one line redrawn on a terminal, else a line now and then."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TextIO

from tools.technician.errors import FlashError

PHASES = {
    "check": ("检查", "checking"),
    "compare": ("比对", "comparing"),
    "write": ("写入", "writing"),
    "verify": ("校验", "verifying"),
    "send": ("发送", "sending"),
    "install": ("安装", "installing"),
    "wipe": ("清零", "wiping"),
}
TTY_S, LINE_S = 0.2, 5.0  # between two drawings


class Progress:
    """stream: where it is drawn, None for nowhere.  seconds: a clock, for tests.

    stop: of one act among several; they do not redraw one line, and end when it is set.
    """

    def __init__(
        self,
        stream: TextIO | None,
        seconds: Callable[[], float] = time.monotonic,
        name: str = "",
        stop: threading.Event | None = None,
    ):
        self._stream, self._seconds, self._name = stream, seconds, name
        self._stop = stop
        self._is_tty = stop is None and stream is not None and stream.isatty()
        self._total = 0
        self._phase = ""
        self._begun = self._drawn = 0.0
        self.took: dict[str, tuple[int, float]] = {}
        """phase -> (bytes, seconds), when it has ended."""

    def begin(self, phase: str, total: int) -> None:
        """total: bytes to come."""
        self._phase, self._total = phase, total
        self._begun = self._seconds()
        self._drawn = 0.0
        self.at(0)

    def at(self, done: int) -> None:
        """done: bytes so far.  Raises FlashError 1205 when all is to end."""
        if self._stop is not None and self._stop.is_set():
            raise FlashError(1205)
        now = self._seconds()
        if self._drawn and now - self._drawn < (TTY_S if self._is_tty else LINE_S):
            return
        self._drawn = now
        # Handed over is not yet on the card: the last per cent is for the end.
        self._draw(min(done, self._total * 99 // 100), now - self._begun)

    def end(self) -> None:
        seconds = self._seconds() - self._begun
        bytes_before, seconds_before = self.took.get(self._phase, (0, 0.0))
        self.took[self._phase] = (bytes_before + self._total, seconds_before + seconds)
        self._draw(self._total, seconds)
        if self._is_tty and self._stream is not None:
            self._stream.write("\n")

    def _draw(self, done: int, seconds: float) -> None:
        if self._stream is None:
            return
        text = self._name + line(self._phase, done, self._total, seconds)
        self._stream.write(f"\r{text}\x1b[K" if self._is_tty else text + "\n")
        self._stream.flush()


def line(phase: str, done: int, total: int, seconds: float) -> str:
    """done, total: bytes; seconds since the phase began."""
    zh, en = PHASES[phase]
    percent = 100 if not total else done * 100 // total
    rate = done / seconds if seconds > 0 and done else 0.0
    left = f"{(total - done) / rate:.0f} s" if rate and done < total else "-"
    if done >= total:
        left = "0 s"
    return f"{zh} {en} {percent:3d} %  {rate / 1e6:6.1f} MB/s  剩余 left {left}"
