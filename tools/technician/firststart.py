"""`python -m tools.technician.firststart DROP FOLDER`: runs on the unit, as root, before the card
process: takes the identity that a technician left on the first partition.

Every file is written beside its place, synced, then renamed, board.toml last; only then is the drop
overwritten with zeros and removed.  A power cut anywhere leaves the old identity or the new one,
and the next start does it again.  A damaged drop is left alone and told: exit status 1.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from tools.technician import identity
from tools.technician.errors import FlashError
from tools.technician.names import BOARD

_SECTOR = 512


def main(argv: list[str] | None = None) -> int:
    drop, folder = (Path(each) for each in (sys.argv[1:] if argv is None else argv))
    try:
        taken = take(drop, folder)
    except FlashError as error:
        print(error.lines(), file=sys.stderr)
        return 1
    print("\n".join(f"taken: {name}" for name in taken) or "nothing waits")
    return 0


def take(drop: Path, folder: Path) -> list[str]:
    """The names of the files taken; [] when nothing waits.  Raises FlashError 1301, OSError."""
    if not drop.exists():
        return []
    with drop.open("rb") as file:
        raw = file.read(identity.MAX_DROP + 1)
    if raw[:1] == b"\0":  # taken, and the power went while it was overwritten
        _forget(drop)
        return []
    files = identity.unpack(raw)
    identity.check(files)
    folder.mkdir(mode=0o750, parents=True, exist_ok=True)
    group = folder.stat().st_gid  # the card process reads them by it
    names = sorted(files, key=lambda name: (name == BOARD, name))
    for name in names:
        _put(folder / name, files[name], group)
    _sync_folder(folder)
    _forget(drop)
    return names


def _put(path: Path, data: bytes, group: int) -> None:
    new = path.with_name(f".{path.name}")  # no file of an identity has such a name
    opened = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with open(opened, "wb") as file:
        if os.fstat(opened).st_gid != group:
            os.fchown(opened, -1, group)
        os.fchmod(opened, 0o640)
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


if __name__ == "__main__":
    sys.exit(main())
