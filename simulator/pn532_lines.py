"""The two lines of an emulated PN532: a pseudo-terminal, and the calls of an I2C bus."""

from __future__ import annotations

import contextlib
import os
import select
import threading
import time
import tty
from typing import Any

from simulator.pn532_device import Pn532

ADDRESS = 0x24


class SerialPn532:
    """The chip at the end of a pseudo-terminal; `device` is the path for board.toml."""

    def __init__(self, chip: Pn532):
        self.chip = chip
        self._host, self._line = os.openpty()  # the line stays open here: it may be opened again
        tty.setraw(self._line)
        self.device = os.ttyname(self._line)
        self._wake, self._stop = os.pipe()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """The cable is pulled."""
        os.close(self._stop)
        self._thread.join()
        for each in (self._host, self._line, self._wake):
            with contextlib.suppress(OSError):
                os.close(each)

    def _run(self) -> None:
        while True:
            ready, _, _ = select.select([self._host, self._wake], [], [])
            if self._wake in ready:
                return
            for frame in self.chip.take(os.read(self._host, 4096)):
                os.write(self._host, frame)


class I2cPn532:
    """The chip behind the calls of an I2C bus: an object of the shape of smbus2.SMBus."""

    def __init__(self, chip: Pn532, *, busy_reads: int = 1):
        """busy_reads: so often the chip is not ready yet before each frame."""
        self.chip = chip
        self.is_closed = False
        self._busy_reads = self._busy = busy_reads
        self._frames: list[bytes] = []
        self._stale = b"\x00\x00\xff\x00\xff\x00"

    def i2c_rdwr(self, message: Any) -> None:
        """message: addr, flags (1: read), len, buf."""
        if message.addr != ADDRESS:
            raise OSError(121, "Remote I/O error")
        if message.flags & 1:
            for at, byte in enumerate(self._read(message.len)):
                message.buf[at] = byte
            return
        data = b"".join(message.buf[at] for at in range(message.len))
        if not self.chip.is_awake:
            self.chip.take(b"\x55")  # its own address wakes it, but it does not acknowledge it
            raise OSError(121, "Remote I/O error")
        self._frames, self._busy = self.chip.take(data), self._busy_reads

    def close(self) -> None:
        self.is_closed = True

    def _read(self, count: int) -> bytes:
        """Status, then the frame that is due; past its end come bytes of an earlier one."""
        if not self._frames or self._busy:
            self._busy = max(self._busy - 1, 0)
            time.sleep(0)
            return bytes(count)
        if count == 1:
            return b"\x01"
        frame = self._frames.pop(0)
        whole = (b"\x01" + frame + self._stale * 50)[:count]
        self._stale, self._busy = frame, self._busy_reads
        return whole
