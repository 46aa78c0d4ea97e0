"""Records one sequence: a fresh ext4 on a disk that logs, and a child process that writes there."""

from __future__ import annotations

import os
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tests.powercut import system
from tests.powercut.builds import BUILDS
from tests.powercut.disk import Entry, LoggedDisk
from tests.powercut.sequence import Day

DISK_BYTES = 16 << 20
EXT4 = ("-b", "4096", "-J", "size=4", "-E", "lazy_itable_init=0,lazy_journal_init=0")


class RecordingError(Exception):
    """The sequence did not come to its end."""


def blank(folder: Path) -> bytes:
    """A disk with an empty ext4."""
    image = folder / "blank.img"
    image.write_bytes(bytes(DISK_BYTES))
    if system.run("mkfs.ext4", "-q", "-F", *EXT4, image):
        raise RecordingError("mkfs.ext4 failed")
    return image.read_bytes()


class Recording(NamedTuple):
    """log: from the mount to the last note.  left: what the disk held then, flushed or not."""

    log: Sequence[Entry]
    left: bytes


def record(folder: Path, image: bytes, seed: int, build: str) -> Recording:
    """That sequence of purchases on a disk that begins as `image`; raises RecordingError."""
    served, mounted = folder / "served", folder / "mounted"
    for each in (served, mounted):
        each.mkdir(exist_ok=True)
    disk = LoggedDisk(served, image)
    try:
        loop, device = system.attach(disk.disk, folder)
        try:
            system.mount(device, mounted, "ext4")
        finally:
            os.close(loop)
        try:
            _write(mounted, disk, seed, build)
        finally:
            left = disk.stop_logging()
            system.unmount(mounted)
    finally:
        disk.close()
    return Recording(disk.log, left)


def _write(mounted: Path, disk: LoggedDisk, seed: int, build: str) -> None:
    child = os.fork()
    if child == 0:
        status = 1
        try:
            system.end_with_parent()
            os.close(disk.descriptor)
            BUILDS[build]()
            notes = os.open(disk.notes, os.O_WRONLY)
            Day(mounted, notes, seed).run()
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    _, status = os.waitpid(child, 0)
    if status:
        raise RecordingError(f"sequence {seed} of the build {build} ended with status {status}")
