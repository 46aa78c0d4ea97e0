"""Which row of errors.ROWS an errno, or the words of a program, stand for."""

from __future__ import annotations

import errno
import os


def error_number(code: int | None, path: str) -> int:
    """The row of an errno met at the disk or file `path`."""
    if not os.path.exists(path) or code in (errno.ENODEV, errno.ENXIO, errno.ENOMEDIUM):
        return 1201
    rows = {
        errno.ENOSPC: 1202, errno.EROFS: 1106, errno.EBUSY: 1110,
        errno.EACCES: 1109, errno.EPERM: 1109,
    }  # fmt: skip
    return rows.get(code or 0, 1203)


# What the programs that write say -> the row; they have no other way to say it.
_SAID = (
    ("checksum mismatch", 1207),
    ("No space left", 1202),
    ("Read-only file system", 1106),
    ("Permission denied", 1109),
    ("Operation not permitted", 1106),
    ("resource busy", 1110),
    ("No such device", 1201),
    ("No medium", 1201),
    ("premature end", 1207),
    ("unexpected end", 1207),
    ("cannot decompress", 1207),
)


def said_number(said: str, path: str) -> int:
    """The row of what a program said about the disk or file `path`."""
    if not os.path.exists(path):
        return 1201
    return next((number for words, number in _SAID if words.lower() in said.lower()), 1203)
