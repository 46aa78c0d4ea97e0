"""The device key in a file of mode 0600: an Ed25519 seed, made at the first start.

device.key        the 32-byte seed and nothing else; never printed: `repr` shows the key id
device.key.next   the one that comes next, while the key is changed (rotation.py)
"""

from __future__ import annotations

import os
from pathlib import Path

from firmware.journal import algorithms, ownfile, spool
from firmware.journal.algorithms import SEED_LENGTH, Ed25519Signer, key_id
from firmware.journal.ownfile import OwnFileError


class DeviceKeyError(Exception):
    """A key that must not be used; what to do about it is in the message."""


class DeviceKey(Ed25519Signer):
    """The signer of this unit's records and batches."""

    @classmethod
    def load_or_create(cls, path: str | os.PathLike[str]) -> DeviceKey:
        """The key in `path`, made there if there is none; raises DeviceKeyError or OSError."""
        path = Path(path)
        if not os.path.lexists(path):
            ownfile.create(path, algorithms.new_seed())
        return cls(_load(path))


class FileKeys:
    """The present device key and, while it is changed, the next one.  See rotation.KeyStore."""

    def __init__(self, path: Path):
        self._path = path
        self._next = path.with_name(path.name + ".next")

    def current(self) -> DeviceKey:
        return DeviceKey.load_or_create(self._path)

    def make_next(self) -> DeviceKey:
        self._next.unlink(missing_ok=True)  # nothing was signed with it, or it would be current
        return DeviceKey.load_or_create(self._next)

    def take(self, ident: bytes) -> DeviceKey | None:
        current = self.current()
        if key_id(current.public_key) == ident:
            return current
        if not os.path.lexists(self._next):
            return None
        coming = DeviceKey(_load(self._next))
        if key_id(coming.public_key) != ident:
            return None
        os.replace(self._next, self._path)
        spool.sync_folder(self._path.parent)
        return coming


def _load(path: Path) -> bytes:
    try:
        seed = ownfile.read(
            path, SEED_LENGTH, "treat the key as lost, remove the file and enrol the unit again"
        )
    except OwnFileError as error:
        raise DeviceKeyError(str(error)) from None
    if len(seed) != SEED_LENGTH:
        raise DeviceKeyError(
            f"{path} has {path.stat().st_size} bytes instead of {SEED_LENGTH}: put back the "
            "backup, or remove the file and enrol the unit again"
        )
    return seed
