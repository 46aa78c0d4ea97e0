"""Three small files beside the database: room for what must still be written, and how far
numbers reach, above and below.

journal.reserve   1 MiB set aside, given back to the disk when it is full, so that the outcome
                  of a payment that has begun can always be written
journal.ceiling   a decimal number and its CRC-32; records up to it may be in use.  It is raised,
                  in steps, before a record passes it: should the database be lost, no number
                  comes twice
journal.floor     decimal numbers, one a line, and their CRC-32: records up to the first may have
                  left the unit, the others of them have not
"""

from __future__ import annotations

import logging
import os
import zlib
from collections.abc import Sequence
from pathlib import Path

from firmware.journal import spool
from firmware.journal.schema import JournalFullError

log = logging.getLogger(__name__)

RESERVE = "journal.reserve"
RESERVE_BYTES = 1 << 20  # some thirty transactions
CEILING = "journal.ceiling"
FLOOR = "journal.floor"
CEILING_STEP = 256


def free_mb(folder: Path) -> int:
    """What the daemon's user may still write there, in MiB."""
    status = os.statvfs(folder)
    return status.f_bavail * status.f_frsize // (1 << 20)


class Reserve:
    """journal.reserve in that folder."""

    def __init__(self, folder: Path):
        self._path = folder / RESERVE

    def give_back(self) -> bool:
        """Give the disk what was kept for this moment; False when there is nothing to give."""
        try:
            self._path.unlink()
        except FileNotFoundError:
            return False
        log.warning("the disk is full; the journal uses its reserve")
        return True

    def keep(self) -> None:
        """Set it aside unless it is there."""
        if self._path.exists():
            return
        handle = os.open(self._path, os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            os.posix_fallocate(handle, 0, RESERVE_BYTES)
        except OSError as error:
            self._path.unlink()
            log.warning("no reserve for the journal: %s", error.strerror)
        finally:
            os.close(handle)


def _line(number: int) -> bytes:
    digits = b"%d" % number
    return b"%s %08x\n" % (digits, zlib.crc32(digits))


class Floor:
    """journal.floor in that folder: what pruning left, for the day when the database is lost."""

    def __init__(self, folder: Path):
        self._path = folder / FLOOR

    def write(self, floor: int, kept: Sequence[int]) -> None:
        """kept: the numbers up to `floor` that are still there.  Raises OSError."""
        body = b"".join(b"%d\n" % number for number in (floor, *kept))
        spool.write_atomic(self._path, body + b"%08x\n" % zlib.crc32(body))

    def read(self) -> tuple[int, set[int]]:
        """(floor, kept); (0, empty) when nothing was ever pruned or the file is damaged."""
        try:
            *numbers, check = self._path.read_bytes().split()
            body = b"".join(number + b"\n" for number in numbers)
            if check != b"%08x" % zlib.crc32(body):
                raise ValueError("CRC-32")
            floor, *kept = map(int, numbers)
        except FileNotFoundError:
            return 0, set()
        except (OSError, ValueError) as error:
            log.warning("%s is unreadable: %s", self._path, error)
            return 0, set()
        return floor, set(kept)


class Ceiling:
    """journal.ceiling in that folder.  value: 0 when there never was a journal."""

    def __init__(self, folder: Path):
        self._path = folder / CEILING
        self.value = self._read()

    def _read(self) -> int:
        try:
            line = self._path.read_bytes()
        except FileNotFoundError:
            return 0
        number, _, _ = line.partition(b" ")
        if not number.isdigit() or line != _line(int(number)):
            log.warning("%s is unreadable and is written anew", self._path)
            return 0
        return int(number)

    def reach(self, number: int) -> None:
        """Before record `number` is written; raises JournalFullError."""
        if number <= self.value:
            return
        try:
            spool.write_atomic(self._path, _line(number + CEILING_STEP))
        except OSError as error:
            raise JournalFullError(f"{self._path}: {error.strerror}; free space there") from error
        self.value = number + CEILING_STEP

    def look_ahead(self, number: int) -> None:
        """While nobody waits: keep half a step free above `number`."""
        if number + CEILING_STEP // 2 > self.value:
            try:
                self.reach(number + CEILING_STEP // 2)
            except JournalFullError as error:
                log.warning("%s", error)
