"""Takes the identity that a technician left on the first partition: on the unit, before the card
process, as root (tools/image/first.py).

Every file is written beside its place, synced, then renamed, board.toml last; only then is the drop
overwritten with zeros and removed.  A power cut anywhere leaves the old identity or the new one,
and the next start does it again.  A damaged drop is left alone and told.
"""

from __future__ import annotations

import os
from pathlib import Path

from firmware.journal.tlskey import AUTHORITY, CERTIFICATE
from tools.technician import identity
from tools.technician.names import BOARD

OF_LINKS = (CERTIFICATE, AUTHORITY)
_SECTOR = 512


def take(drop: Path, folder: Path, data: Path) -> list[str]:
    """The names of the files taken; [] when nothing waits.  Raises FlashError 1301, OSError.

    They go to `folder`, where board.toml is; the certificates of the links to `data`, the unit's
    data folder, where the uplink looks for them.
    """
    if not drop.exists():
        return []
    with drop.open("rb") as file:
        raw = file.read(identity.MAX_DROP + 1)
    if raw[:1] == b"\0":  # taken, and the power went while it was overwritten
        _forget(drop)
        return []
    files = identity.unpack(raw)
    private = identity.private(files)
    names = sorted(files, key=lambda name: (name == BOARD, name))
    for place in (data, folder):
        place.mkdir(mode=0o750, parents=True, exist_ok=True)
        group = place.stat().st_gid  # the unit's processes read them by it
        for name in names:
            if (name in OF_LINKS) == (place == data):
                owner = data.stat().st_uid if name in private else None
                _put(place / name, files[name], group, owner)
        _sync_folder(place)
    _forget(drop)
    return names


def _put(path: Path, data: bytes, group: int, owner: int | None) -> None:
    """owner: who alone may read it, the card process's user, which refuses other keys; or None."""
    new = path.with_name(f".{path.name}")  # no file of an identity has such a name
    new.unlink(missing_ok=True)  # left by a cut; or a link that the folder's owner made
    opened = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with open(opened, "wb") as file:
        if os.fstat(opened).st_gid != group:
            os.fchown(opened, -1, group)
        os.fchmod(opened, 0o640 if owner is None else 0o600)
        if owner is not None:
            os.fchown(opened, owner, -1)
        file.write(data)
        file.flush()
        os.fsync(opened)
    new.replace(path)


def _forget(drop: Path) -> None:
    """Keys may stand in it: it is overwritten first, its first sector before the others."""
    size = drop.stat().st_size
    with drop.open("r+b", buffering=0) as file:
        for end in (min(size, _SECTOR), size):
            file.write(bytes(end - file.tell()))
            os.fsync(file.fileno())
    drop.unlink()
    _sync_folder(drop.parent)


def _sync_folder(folder: Path) -> None:
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
