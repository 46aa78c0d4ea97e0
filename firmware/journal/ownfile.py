"""Files that only the daemon's user may read: keys and PINs, mode 0600.

A file that others could have read is refused: what it holds must be treated as known to them.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from firmware.journal import spool


class OwnFileError(Exception):
    """A file that must not be used; what to do about it is in the message, what it holds is not."""


def create(path: Path, content: bytes) -> None:
    """Write a file beside `path`, then link it there: never half of it, never over another.

    Where the name is taken nothing changes.  Raises OSError.
    """
    beside = path.with_name(f"{path.name}.{os.getpid()}.new")
    beside.unlink(missing_ok=True)  # of a start that was cut short; nothing was used from it
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        os.fchmod(handle, 0o600)
        os.write(handle, content)
        os.fsync(handle)
    finally:
        os.close(handle)
    try:
        os.link(beside, path)  # fails, like O_EXCL, when the name is taken
    except FileExistsError:
        pass
    finally:
        beside.unlink()
    spool.sync_folder(path.parent)


def read(path: Path, limit: int, instead: str) -> bytes:
    """What the file holds; one byte more than `limit` if it is longer.  Raises OwnFileError.

    instead: what to do when it was open to others.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        raise OwnFileError(f"{path}: {error.strerror}; it must be a file of its own") from None
    try:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            raise OwnFileError(f"{path} is no regular file")
        if status.st_uid != os.geteuid():
            raise OwnFileError(f"{path} is of user {status.st_uid}: chown it to the daemon's")
        if status.st_mode & 0o077:
            mode = stat.S_IMODE(status.st_mode)
            raise OwnFileError(f"{path} could be read by others (mode {mode:04o}): {instead}")
        return os.read(handle, limit + 1)
    finally:
        os.close(handle)
