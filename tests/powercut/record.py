"""Recording: an ext4 on a disk that logs, and a child process that writes there."""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from firmware.journal import kinds
from tests.journal_maker import purchase, start_body
from tests.powercut import system
from tests.powercut.builds import BUILDS
from tests.powercut.disk import Entry, LoggedDisk
from tests.powercut.unit import open_unit

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


def record(folder: Path, image: bytes, build: str, write: Callable[[Path, int], None]) -> Recording:
    """What `write` does on a disk that begins as `image`; raises RecordingError.

    write: gets the folder on the disk and the open file for notes.
    """
    served, mounted = folder / "served", folder / "mounted"
    for each in (served, mounted):
        each.mkdir(exist_ok=True)
    disk = LoggedDisk(served, image)

    def work() -> None:
        BUILDS[build]()
        write(mounted, os.open(disk.notes, os.O_WRONLY))

    try:
        system.mount_image(disk.disk, mounted, folder)
        try:
            _in_child(work)
        finally:
            disk.end_log()
            system.unmount(mounted)
    finally:
        log, left = disk.close()
    return Recording(log, left)


def used(folder: Path, image: bytes, records: int) -> bytes:
    """The disk of a terminal that was stopped well after so many records."""
    file, mounted = folder / "used.img", folder / "mounted"
    mounted.mkdir(exist_ok=True)
    file.write_bytes(image)

    def work() -> None:
        journal = open_unit(mounted, 0)
        journal.append(kinds.KIND_START, start_body(journal.signer.public_key))
        while journal.head()[0] < records:
            purchase(journal, f"before-{journal.head()[0]}")
        journal.close()

    system.mount_image(file, mounted, folder)
    try:
        _in_child(work)
    finally:
        system.unmount(mounted)
    return file.read_bytes()


def _in_child(work: Callable[[], None]) -> None:
    """Raises RecordingError if it does not come to its end; its words are on stderr."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            system.end_with_parent()
            work()
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    _, status = os.waitpid(child, 0)
    if status:
        raise RecordingError(f"the writing process ended with status {status}")
