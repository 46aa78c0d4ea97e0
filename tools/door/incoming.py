"""A bundle on its way in: SHA-256.part grows, becomes SHA-256.raucb when every byte is there.

A line that is cut leaves the part; sent again, only the rest comes.  Both go at the unit's start.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tools.door.errors import DoorError
from tools.door.talk import Talk
from tools.update.places import Places, from_environment

MAX_BUNDLE = 2 << 30  # bytes
KEPT_FREE = 96 << 20
"""Bytes of the data partition that a bundle may not take: the journal needs them."""
TOLD_EVERY = 4 << 20
SHA256 = re.compile(r"[0-9a-f]{64}")


def named(request: dict[str, Any]) -> str:
    """The SHA-256 of a request.  Raises DoorError 1404."""
    sha256 = request.get("sha256")
    if not isinstance(sha256, str) or not SHA256.fullmatch(sha256):
        raise DoorError(1404, "sha256")
    return sha256


def whole(places: Places, sha256: str) -> Path:
    return places.incoming / f"{sha256}.raucb"


def there(places: Places) -> list[dict[str, Any]]:
    """What lies there, for `info`."""
    try:
        found = sorted(places.incoming.iterdir())
    except OSError:
        return []
    return [
        {"sha256": each.stem, "size": each.stat().st_size, "whole": each.suffix == ".raucb"}
        for each in found
        if each.suffix in (".raucb", ".part")
    ]


def sweep(places: Places) -> None:
    """At the unit's start: nothing of an earlier start is of use."""
    with contextlib.suppress(FileNotFoundError):
        for each in places.incoming.iterdir():
            each.unlink()


def receive(talk: Talk, request: dict[str, Any]) -> dict[str, Any]:
    """Says where to go on, {"say": {"have": N}}, takes the rest, checks all of it.

    Raises DoorError 1404, 1407 no room, 1408 another bundle than was named, 1409 two at once.
    """
    places, sha256 = from_environment(), named(request)
    size = request.get("size")
    if not isinstance(size, int) or not 1 <= size <= MAX_BUNDLE:
        raise DoorError(1407, f"at most {MAX_BUNDLE} bytes")
    with alone(places):
        if whole(places, sha256).exists():
            talk.tell({"say": {"have": size}})
            return {"sha256": sha256, "received": 0}
        part = places.incoming / f"{sha256}.part"
        _remove_others(places, part)
        have = min(part.stat().st_size, size) if part.exists() else 0
        check_room(places, size - have)
        talk.tell({"say": {"have": have}})
        _take(talk, part, have, size)
        with part.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != sha256:
                part.unlink()
                raise DoorError(1408, sha256)
        part.replace(whole(places, sha256))
    return {"sha256": sha256, "received": size - have}


@contextlib.contextmanager
def alone(places: Places, wait_s: float = 0.0) -> Iterator[None]:
    """Nobody else sends or installs meanwhile.  wait_s: for whoever does now.

    Raises DoorError 1409.
    """
    places.incoming.mkdir(mode=0o700, parents=True, exist_ok=True)
    until = time.monotonic() + wait_s
    handle = os.open(places.incoming, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        while not _locked(handle):
            if time.monotonic() >= until:
                raise DoorError(1409, "a bundle is sent or installed over another line")
            time.sleep(0.5)
        yield
    finally:
        os.close(handle)


def _locked(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _remove_others(places: Places, part: Path) -> None:
    """One bundle at a time: the data partition is small."""
    for each in places.incoming.iterdir():
        if each != part:
            each.unlink()


def check_room(places: Places, wanted: int) -> None:
    """Raises DoorError 1407 where so many bytes more would take the journal's room."""
    free = shutil.disk_usage(places.incoming).free
    if free - wanted < KEPT_FREE:
        raise DoorError(1407, f"{wanted} bytes to come, {max(free - KEPT_FREE, 0)} may be used")


def _take(talk: Talk, part: Path, have: int, size: int) -> None:
    """Raises TalkError when the line is cut; what came so far is on the disk."""
    with part.open("r+b" if have else "wb") as file:
        file.truncate(have)
        file.seek(have)
        told = have
        try:
            for piece in talk.bytes(size - have):
                file.write(piece)
                if file.tell() - told >= TOLD_EVERY:
                    told = file.tell()
                    talk.tell({"say": {"have": told}})
        finally:
            file.flush()
            os.fsync(file.fileno())
