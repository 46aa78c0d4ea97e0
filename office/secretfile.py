"""Files of the office that only their owner may read: made once, mode 0600, refused otherwise."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from firmware.journal.spool import sync_folder
from office.errors import OfficeError


def create(path: Path, content: bytes) -> None:
    """A new file, mode 0600, on the disk when this returns.  Raises OSError."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        os.write(handle, content)
        os.fsync(handle)
    finally:
        os.close(handle)
    sync_folder(path.parent)


def read(path: Path, length: int) -> bytes:
    """At most length + 1 bytes of a file that only its owner can read; raises OfficeError 910."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError as error:
        raise OfficeError(910, f"{path}: {error.strerror}") from None
    try:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode) or status.st_mode & 0o077:
            mode = stat.S_IMODE(status.st_mode)
            raise OfficeError(910, f"{path}: mode {mode:04o}, others could read it")
        return os.read(handle, length + 1)
    finally:
        os.close(handle)
