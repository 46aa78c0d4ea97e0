"""A serial line between two ptys that loses, spoils, doubles and cuts, by a seed."""

from __future__ import annotations

import os
import pty
import random
import select
import threading
import tty

from tests.waiting import SOON_S


class FaultyLine:
    """`office` and `unit` are device names for real pyserial; faults: chance for each 256 bytes."""

    def __init__(self, seed: int = 0, faults: float = 0.0):
        self.faults = faults
        self.is_cut = False
        self.spoilt = 0
        self._random = random.Random(seed)
        self._masters, self._slaves = zip(*(pty.openpty() for _ in range(2)), strict=True)
        for slave in self._slaves:
            tty.setraw(slave)
        self.office, self.unit = (os.ttyname(slave) for slave in self._slaves)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._pump, daemon=True)
        self._thread.start()

    def __enter__(self) -> FaultyLine:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(SOON_S)
        for fd in (*self._masters, *self._slaves):
            os.close(fd)

    def _pump(self) -> None:
        other = dict(zip(self._masters, reversed(self._masters), strict=True))
        while not self._stop.is_set():
            ready, _, _ = select.select(self._masters, [], [], 0.05)
            for master in ready:
                data = self._spoil(os.read(master, 256))
                while data and not self.is_cut:
                    data = data[os.write(other[master], data) :]

    def _spoil(self, data: bytes) -> bytes:
        rnd = self._random
        if rnd.random() >= self.faults:
            return data
        self.spoilt += 1
        at = rnd.randrange(len(data))
        match rnd.randrange(5):
            case 0:
                return b""
            case 1:
                return data[:at] + bytes([data[at] ^ 1 << rnd.randrange(8)]) + data[at + 1 :]
            case 2:
                return data + data
            case 3:
                return data[:at]
            case _:
                return data[:at] + rnd.randbytes(rnd.randrange(1, 40)) + data[at:]
