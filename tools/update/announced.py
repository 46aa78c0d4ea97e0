"""Installs a bundle that came over a link: only the one that the office announced.

    python -m tools.update.announced BUNDLE

The card process has verified the office's signed `update` file and tells version, SHA-256 and size
in its status.  BUNDLE lies where the uplink's user writes, who could exchange or change it at any
moment: what is installed is root's own copy, made and compared in one pass.
Exit status: 0 installed, to be tried; 1 refused or failed.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from tools.door import incoming
from tools.door.errors import DoorError
from tools.update.card import ask, socket_of
from tools.update.places import Places, from_environment

INSTALL_S = 3600.0
PIECE = 1 << 20  # bytes


class NotAnnouncedError(Exception):
    """The office's word does not cover this file."""


@dataclass(frozen=True)
class Announced:
    """sha256: hex.  size: bytes."""

    version: str
    sha256: str
    size: int


def word(places: Places) -> Announced:
    """What the office announced.  Raises NotAnnouncedError."""
    told: object = ask(socket_of(places), "status", {})
    for name in ("result", "office"):
        told = told.get(name) if isinstance(told, dict) else None
    office = told if isinstance(told, dict) else {}
    version, sha256, size = (office.get(f"update{each}") for each in ("", "_sha256", "_size"))
    is_whole = isinstance(version, str) and isinstance(size, int)
    if not is_whole or not isinstance(sha256, str) or not incoming.SHA256.fullmatch(sha256):
        raise NotAnnouncedError("the office announced no update, or the card process is silent")
    return Announced(str(version), sha256, size)


@contextlib.contextmanager
def copied(places: Places, bundle: Path, said: Announced) -> Iterator[Path]:
    """Root's copy of the bundle that was announced; gone afterwards, and at the unit's next start.

    Raises NotAnnouncedError, DoorError where there is no room or a technician sends one, OSError.
    """
    with incoming.alone(places):
        incoming.sweep(places)
        own = incoming.whole(places, said.sha256)
        try:
            with _opened(bundle, said) as source:
                incoming.check_room(places, said.size)
                _copy(source, own, said)
            yield own
        finally:
            own.unlink(missing_ok=True)


@contextlib.contextmanager
def _opened(bundle: Path, said: Announced) -> Iterator[BinaryIO]:
    """A plain file of that size, no link and nothing that waits.  Raises as `copied`."""
    how = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    with os.fdopen(os.open(bundle, how), "rb") as source:
        found = os.fstat(source.fileno())
        if not stat.S_ISREG(found.st_mode) or found.st_size != said.size:
            raise NotAnnouncedError(
                f"{bundle} has not the {said.size} bytes of release {said.version}"
            )
        yield source


def _copy(source: BinaryIO, own: Path, said: Announced) -> None:
    digest, left = hashlib.sha256(), said.size
    with own.open("xb") as file:
        while left and (piece := source.read(min(left, PIECE))):
            digest.update(piece)
            file.write(piece)
            left -= len(piece)
    if left or digest.hexdigest() != said.sha256:
        raise NotAnnouncedError(f"the file is not the bundle of release {said.version}")


def main() -> int:
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 1
    places, bundle = from_environment(), Path(sys.argv[1])
    try:
        with copied(places, bundle, word(places)) as own:
            command = ["rauc", f"--conf={places.rauc_conf}", "install", str(own)]
            subprocess.run(command, timeout=INSTALL_S, check=True)
    except (NotAnnouncedError, DoorError, OSError, ValueError, subprocess.SubprocessError) as error:
        print(f"update: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
