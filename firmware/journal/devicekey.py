"""The device key: an Ed25519 seed in a file of mode 0600, made at the first start.

The file holds the 32-byte seed and nothing else.  It is never printed: `repr` shows the key id.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from firmware.journal import cose, spool
from firmware.journal.cose import SEED_LENGTH, Ed25519Signer


class DeviceKeyError(Exception):
    """A key file that must not be used; what to do about it is in the message."""


class DeviceKey(Ed25519Signer):
    """The signer of this unit's records and batches."""

    @classmethod
    def load_or_create(cls, path: str | os.PathLike[str]) -> DeviceKey:
        """The key in `path`, made there if there is none; raises DeviceKeyError or OSError."""
        path = Path(path)
        if not os.path.lexists(path):
            _create(path)
        return cls(_load(path))


def _create(path: Path) -> None:
    """Write a new seed beside `path`, then link it there: never half a key, never over another."""
    beside = path.with_name(f"{path.name}.{os.getpid()}.new")
    beside.unlink(missing_ok=True)  # of a start that was cut short; no key was used from it
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        os.fchmod(handle, 0o600)
        os.write(handle, cose.new_seed())
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


def _load(path: Path) -> bytes:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError as error:
        raise DeviceKeyError(f"{path}: {error.strerror}; it must be a file of its own") from None
    try:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            raise DeviceKeyError(f"{path} is no regular file")
        if status.st_uid != os.geteuid():
            raise DeviceKeyError(f"{path} is of user {status.st_uid}: chown it to the daemon's")
        if status.st_mode & 0o077:
            raise DeviceKeyError(
                f"{path} could be read by others (mode {stat.S_IMODE(status.st_mode):04o}): "
                "treat the key as lost, remove the file and enrol the unit again"
            )
        if status.st_size != SEED_LENGTH:
            raise DeviceKeyError(
                f"{path} has {status.st_size} bytes instead of {SEED_LENGTH}: put back the backup, "
                "or remove the file and enrol the unit again"
            )
        return os.read(handle, SEED_LENGTH)
    finally:
        os.close(handle)
