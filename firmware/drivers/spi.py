"""A device on SPI by the kernel's spidev: what is written goes out, nothing is read.

Of the shape luma expects (open, max_speed_hz, writebytes, close), so that no compiled package is
needed.
"""

from __future__ import annotations

import fcntl
import os
import struct
from collections.abc import Iterable

# <linux/spi/spidev.h>: _IOW('k', 1, __u8), _IOW('k', 3, __u8), _IOW('k', 4, __u32)
WRITE_MODE, WRITE_BITS, WRITE_SPEED = 0x40016B01, 0x40016B03, 0x40046B04
MODE_0 = 0
BITS = 8


class SpiDevice:
    """One write is one transfer, at most 4,096 bytes unless the kernel was told otherwise."""

    def __init__(self) -> None:
        self._handle: int | None = None

    def open(self, bus: int, device: int) -> None:
        """Raises OSError."""
        self._handle = os.open(f"/dev/spidev{bus}.{device}", os.O_RDWR | os.O_CLOEXEC)
        self._set(WRITE_MODE, struct.pack("B", MODE_0))
        self._set(WRITE_BITS, struct.pack("B", BITS))

    @property
    def max_speed_hz(self) -> int:
        raise AttributeError("the speed is set, never asked")

    @max_speed_hz.setter
    def max_speed_hz(self, speed_hz: int) -> None:
        self._set(WRITE_SPEED, struct.pack("=I", speed_hz))

    def writebytes(self, data: Iterable[int]) -> None:
        """Raises OSError, also where less than all went out."""
        out = bytes(data)
        if os.write(self._opened(), out) != len(out):
            raise OSError("the SPI bus took only a part")

    def close(self) -> None:
        handle, self._handle = self._handle, None
        if handle is not None:
            os.close(handle)

    def _set(self, request: int, value: bytes) -> None:
        """A bus that refuses is closed: luma forgets what it could not set."""
        try:
            fcntl.ioctl(self._opened(), request, value)
        except OSError:
            self.close()
            raise

    def _opened(self) -> int:
        if self._handle is None:
            raise OSError("the SPI bus is not open")
        return self._handle
