"""A disk or a file held from its check to the last byte read back: it is nobody else's meanwhile.

A kernel name that is held open is given to no other disk; a lock (flock) on it keeps a second
flash.py away, and udev, which would look for file systems and have them mounted between writing and
reading back.  Another card in the same reader shows by the kernel's number of the medium.
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tools.technician import device
from tools.technician.causes import error_number
from tools.technician.device import Target
from tools.technician.errors import FlashError

_BLKGETDISKSEQ = 0x80081280  # <linux/fs.h>, since Linux 5.15


@dataclass(frozen=True)
class Held:
    """What was checked, and what tells it from any other: device number, medium, bytes."""

    target: Target
    medium: tuple[int, int, int] | None

    def check(self, number: int) -> None:
        """Raises FlashError `number` when this is no longer what was checked; a file may change."""
        if self.medium is not None and _medium_at(self.target.path) != self.medium:
            raise FlashError(number, self.target.path)


@contextmanager
def held(name: str, needed: int = 0, is_alone: bool = False) -> Iterator[Held]:
    """The disk or file `name`, judged.  needed: bytes that must fit.

    is_alone: nothing may be mounted from it meanwhile, and no program that asks to be alone may
    open it.  Raises FlashError 11xx.
    """
    target = device.target(name, needed)
    if target.is_file and not Path(target.path).exists():
        yield Held(target, None)
        return
    exclusive = os.O_EXCL if is_alone and not target.is_file else 0
    opened = _open(target.path, exclusive)
    try:
        if not target.is_file and device.target(name, needed, is_held=is_alone) != target:
            raise FlashError(1112, target.path)
        _lock(opened, target.path)
        yield Held(target, None if target.is_file else _medium(opened))
    finally:
        os.close(opened)


def _open(path: str, more: int = 0) -> int:
    try:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC | more)
    except OSError as error:
        raise FlashError(error_number(error.errno, path), f"{path}: {error.strerror}") from None


def _lock(opened: int, path: str) -> None:
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise FlashError(1110, path) from None


def _medium_at(path: str) -> tuple[int, int, int] | None:
    """None when nothing is there.  Opening lets the kernel look whether the card was changed."""
    try:
        opened = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return _medium(opened)
    except OSError:
        return None
    finally:
        os.close(opened)


def _medium(opened: int) -> tuple[int, int, int]:
    """(device number, number of the medium, bytes) of an open disk."""
    sequence = bytearray(8)
    try:
        fcntl.ioctl(opened, _BLKGETDISKSEQ, sequence)
    except OSError as error:
        if error.errno not in (errno.ENOTTY, errno.EINVAL):
            raise
    size = os.lseek(opened, 0, os.SEEK_END)
    return os.fstat(opened).st_rdev, int.from_bytes(sequence, "little"), size
