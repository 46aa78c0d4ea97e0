"""A serial cable between two pseudo-terminals: what one end writes, the other end reads."""

from __future__ import annotations

import os
import pty
import select
import threading
import tty

_POLL_S = 0.1


class Cable:
    """office, unit: the device names of both ends, for anything that opens a serial port."""

    def __init__(self) -> None:
        self._masters, self._slaves = zip(*(pty.openpty() for _ in range(2)), strict=True)
        for slave in self._slaves:
            tty.setraw(slave)
        for master in self._masters:
            os.set_blocking(master, False)
        self.office, self.unit = map(os.ttyname, self._slaves)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._carry, name="cable", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._stop.set()
        self._thread.join()
        for each in (*self._masters, *self._slaves):
            os.close(each)

    def _carry(self) -> None:
        other = dict(zip(self._masters, reversed(self._masters), strict=True))
        while not self._stop.is_set():
            ready, _, _ = select.select(self._masters, [], [], _POLL_S)
            for end in ready:
                self._write(other[end], os.read(end, 1024))

    def _write(self, end: int, data: bytes) -> None:
        """Waits while nobody reads and the pty is full."""
        while data and not self._stop.is_set():
            if select.select([], [end], [], _POLL_S)[1]:
                data = data[os.write(end, data) :]
