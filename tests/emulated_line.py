"""A serial line that takes its time: two ptys, and a process that carries bytes at a fixed rate
each way and flips bits by chance.

Paced by absolute deadlines: a tick that came late is made up for, so the rate holds; a direction
that was idle gets no more than one tick on credit.
"""

from __future__ import annotations

import contextlib
import math
import multiprocessing
import os
import pty
import random
import time
import tty

from tests.waiting import SOON_S

BYTES_PER_S = 11520  # 115,200 baud, 8N1
_TICK_S = 0.001
_CATCH_UP_S = 0.25  # a busy machine: more than that is lost time
_BLOCK = 4096


class EmulatedLine:
    """`office` and `unit`: device names for real pyserial; use it in a `with`."""

    def __init__(self, *, bit_error_rate: float = 0.0, seed: int = 0, rate: float = BYTES_PER_S):
        self._ptys = [pty.openpty() for _ in range(2)]
        for master, slave in self._ptys:
            tty.setraw(slave)
            os.set_blocking(master, False)
        self.office, self.unit = (os.ttyname(slave) for _, slave in self._ptys)
        here, there = (master for master, _ in self._ptys)
        self._process = multiprocessing.get_context("fork").Process(
            target=_carry, args=(here, there, rate, bit_error_rate, seed), daemon=True
        )

    def __enter__(self) -> EmulatedLine:
        self._process.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.join(SOON_S)
        for fd in (each for pair in self._ptys for each in pair):
            os.close(fd)


class Direction:
    """One way of the line; `now_s` is from any origin."""

    def __init__(self, source: int, sink: int, rate: float, noise: Noise, now_s: float):
        self._source = source
        self._sink = sink
        self._rate = rate
        self._noise = noise
        self._at_s = now_s  # until when bytes have been carried
        self._held = b""  # carried, but the receiver's buffer was full

    def carry(self, now_s: float) -> None:
        """What the time since the last call is good for."""
        if self._held:
            self._deliver()
            self._at_s = now_s
            return
        self._at_s = max(self._at_s, now_s - _CATCH_UP_S)
        allowed = int((now_s - self._at_s) * self._rate)
        if allowed <= 0:
            return
        data = _read(self._source, min(allowed, _BLOCK))
        self._at_s += len(data) / self._rate
        if len(data) < min(allowed, _BLOCK):  # idle
            self._at_s = max(self._at_s, now_s - _TICK_S)
        self._held = self._noise.spoil(data)
        self._deliver()

    def _deliver(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while self._held:
                self._held = self._held[os.write(self._sink, self._held) :]


class Noise:
    """Each bit is flipped with the same chance, independently of all others."""

    def __init__(self, bit_error_rate: float, seed: int):
        self._rate = bit_error_rate
        self._random = random.Random(seed)
        self._next = self._gap()

    def spoil(self, data: bytes) -> bytes:
        spoilt = bytearray(data)
        while self._next < 8 * len(data):
            spoilt[self._next // 8] ^= 1 << self._next % 8
            self._next += 1 + self._gap()
        self._next -= 8 * len(data)
        return bytes(spoilt)

    def _gap(self) -> int:
        """How many bits stay whole: geometric."""
        if self._rate == 0:
            return 1 << 62
        return int(math.log(1 - self._random.random()) / math.log1p(-self._rate))


def _carry(here: int, there: int, rate: float, bit_error_rate: float, seed: int) -> None:
    due_s = time.monotonic()
    ways = [
        Direction(source, sink, rate, Noise(bit_error_rate, seed + at), due_s)
        for at, (source, sink) in enumerate([(here, there), (there, here)])
    ]
    while True:
        for way in ways:
            way.carry(time.monotonic())
        due_s = max(due_s + _TICK_S, time.monotonic() - _CATCH_UP_S)
        time.sleep(max(0.0, due_s - time.monotonic()))


def _read(fd: int, most: int) -> bytes:
    try:
        return os.read(fd, most)
    except BlockingIOError:
        return b""
