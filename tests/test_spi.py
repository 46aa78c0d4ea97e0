"""spidev as the kernel's header says it: mode, bits and speed by ioctl, then plain writes."""

from __future__ import annotations

import fcntl
import os
import struct
from pathlib import Path
from typing import Any

import pytest

from firmware.drivers import spi

# <linux/spi/spidev.h> and <asm-generic/ioctl.h>: direction << 30 | size << 16 | type << 8 | number
WRITE = 1


def ioctl_number(number: int, size: int) -> int:
    return WRITE << 30 | size << 16 | ord("k") << 8 | number


class Kernel:
    """/dev/spidev0.1 as a file of its own, and the ioctls that reached it."""

    def __init__(self, path: Path, monkeypatch: pytest.MonkeyPatch):
        self.path = path
        self.opened: list[str] = []
        self.ioctls: list[tuple[int, bytes]] = []
        path.write_bytes(b"")
        real_open = os.open

        def open_(name: str, flags: int) -> int:
            self.opened.append(name)
            assert flags & os.O_CLOEXEC
            return real_open(path, flags)

        def ioctl(handle: int, number: int, argument: bytes) -> int:
            self.ioctls.append((number, argument))
            return 0

        monkeypatch.setattr(os, "open", open_)
        monkeypatch.setattr(fcntl, "ioctl", ioctl)


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Kernel:
    return Kernel(tmp_path / "spidev", monkeypatch)


def test_a_bus_is_set_up_and_written(kernel: Kernel) -> None:
    device = spi.SpiDevice()
    device.open(0, 1)
    device.max_speed_hz = 40_000_000
    device.writebytes([0x2A, 0, 255])
    device.writebytes(b"\x01")
    device.close()
    assert kernel.opened == ["/dev/spidev0.1"]
    assert kernel.ioctls == [
        (ioctl_number(1, 1), b"\0"),
        (ioctl_number(3, 1), b"\x08"),
        (ioctl_number(4, 4), struct.pack("=I", 40_000_000)),
    ]
    assert kernel.path.read_bytes() == b"\x2a\x00\xff\x01"


def test_a_bus_that_is_closed_or_takes_a_part_is_an_error(
    kernel: Kernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = spi.SpiDevice()
    with pytest.raises(OSError, match="not open"):
        device.writebytes(b"\x01")
    device.open(0, 1)

    def part(handle: int, data: bytes) -> Any:
        return len(data) - 1

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", part)
        with pytest.raises(OSError, match="only a part"):
            device.writebytes(b"\x01\x02")
    device.close()
    device.close()
    with pytest.raises(OSError, match="not open"):
        device.max_speed_hz = 1


def test_a_bus_that_is_not_there_says_so() -> None:
    with pytest.raises(FileNotFoundError):
        spi.SpiDevice().open(9, 9)
