"""The uplink's side of the three folders (firmware/journal/spool.py tells who writes which).

It reads out/ and writes up/ and down/.  The card process alone judges what lies there; nothing here
needs a key or the journal.
"""

from __future__ import annotations

import hashlib
import os
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from firmware.journal import spool as folders
from firmware.uplink.frame import MAX_DOWN, MAX_RECEIPT

NAMES = frozenset({"stoplist", "operators", "officekey", "parameters", "unitstop", "update"})
"""Of signed files (journal/signedfile.py): others would only fill the disk."""
MAX_READ = 1 << 16  # bytes in memory at a time
_MAX_NUMBER = 1 << 62  # of a batch, of a byte in a file


class NoSuchBatch(Exception):
    """out/ holds no batch of that number: never sealed, or its receipt was verified long ago."""


class OutOfBounds(Exception):
    """A size, an offset or a name that this unit does not take."""


@dataclass(frozen=True)
class SealedBatch:
    """One file of out/: its number, size in bytes, and the SHA-256 of its bytes."""

    number: int
    size: int
    digest: bytes


class Spool:
    """Reads and writes below `data_dir`; may be shared by threads.  OSError passes through."""

    def __init__(self, data_dir: Path):
        self._data_dir = data_dir
        self._writing = threading.Lock()
        folders.make_folders(data_dir)

    def pending(self) -> list[int]:
        """The numbers of the batches that wait for a receipt, oldest first."""
        return [number for number, _ in folders.batches(self._data_dir)]

    def next_after(self, after: int) -> SealedBatch | None:
        """The oldest pending batch with a number above `after`."""
        for number in self.pending():
            if number > after:
                try:
                    return self.describe(number)
                except NoSuchBatch:  # its receipt was verified this moment
                    continue
        return None

    def describe(self, number: int) -> SealedBatch:
        """Raises NoSuchBatch."""
        digest, size = hashlib.sha256(), 0
        with self._open(number) as file:
            while piece := file.read(MAX_READ):
                digest.update(piece)
                size += len(piece)
        return SealedBatch(number, size, digest.digest())

    def read(self, number: int, offset: int, length: int) -> bytes:
        """`length` bytes of the file, 1 to MAX_READ; fewer at its end, none behind it."""
        if not 0 < length <= MAX_READ:
            raise OutOfBounds(f"a read has 1 to {MAX_READ} bytes")
        if offset >= _MAX_NUMBER:
            raise OutOfBounds("no file is that long")
        with self._open(number) as file:
            file.seek(offset)
            return file.read(length)

    def whole(self, number: int) -> tuple[SealedBatch, bytes]:
        """The whole file and what describes it.  Raises NoSuchBatch."""
        with self._open(number) as file:
            content = file.read()
        return SealedBatch(number, len(content), hashlib.sha256(content).digest()), content

    def put_receipt(self, number: int, receipt: bytes) -> None:
        """Hand a receipt to the card process.  Raises NoSuchBatch, OutOfBounds."""
        if not 0 < len(receipt) <= MAX_RECEIPT:
            raise OutOfBounds(f"a receipt has 1 to {MAX_RECEIPT} bytes")
        self._open(number).close()
        with self._writing:
            folders.write_atomic(folders.receipt_path(self._data_dir, number), receipt)

    def put_down(self, what: str, content: bytes) -> None:
        """Hand a signed file to the card process.  Raises OutOfBounds."""
        check_down(what, len(content))
        with self._writing:
            folders.write_atomic(folders.signed_file_path(self._data_dir, what), content)

    def put_down_if_new(self, what: str, content: bytes) -> None:
        """The same, unless down/ holds these very bytes.  Raises OutOfBounds."""
        if not self.holds_down(what, hashlib.sha256(content).digest()):
            self.put_down(what, content)

    def holds_down(self, what: str, digest: bytes) -> bool:
        """down/ already holds the file with that SHA-256.  Raises OutOfBounds."""
        check_down(what, 1)
        try:
            return _digest(folders.signed_file_path(self._data_dir, what)) == digest
        except FileNotFoundError:
            return False

    # -- a file that comes down in pieces; it goes on where it stopped, after any restart --------

    def arrived(self, what: str, digest: bytes) -> int:
        """How many bytes of the file with that SHA-256 are here, while it is not whole."""
        try:
            return self._part(what, digest).stat().st_size
        except FileNotFoundError:
            return 0

    def append_down(self, what: str, digest: bytes, chunk: bytes) -> int:
        """How many bytes are here now.  Of a file that began before and is another one, none."""
        part = self._part(what, digest)
        with self._writing:
            for other in part.parent.glob(".*.part"):
                if other != part:
                    other.unlink(missing_ok=True)
            with part.open("ab") as file:
                file.write(chunk)
                return file.tell()

    def finish_down(self, what: str, digest: bytes) -> None:
        """Hand it to the card process; raises OutOfBounds, and forgets it, when it is another."""
        part = self._part(what, digest)
        with self._writing:
            with part.open("rb") as file:
                os.fsync(file.fileno())
            if _digest(part) != digest:
                part.unlink()
                raise OutOfBounds("the file is not the one that was announced")
            os.replace(part, folders.signed_file_path(self._data_dir, what))
            folders.sync_folder(part.parent)

    def _part(self, what: str, digest: bytes) -> Path:
        return self._data_dir / folders.DOWN / f".{what}.{digest[:8].hex()}.part"

    def clean(self) -> None:
        """Remove receipts whose batch is gone from out/, and what a power cut left half written."""
        with self._writing:
            arrived = folders.receipts(self._data_dir)
            waiting = set(self.pending()) if arrived else set()
            for number, receipt in arrived:
                if number not in waiting:
                    receipt.unlink(missing_ok=True)
            for name in (folders.UP, folders.DOWN):
                for half_written in (self._data_dir / name).glob(".*.new"):
                    half_written.unlink(missing_ok=True)

    def _open(self, number: int) -> BinaryIO:
        if number >= _MAX_NUMBER:
            raise NoSuchBatch(f"batch {number}")
        try:
            return folders.batch_path(self._data_dir, number).open("rb")
        except FileNotFoundError:
            raise NoSuchBatch(f"batch {number}") from None


def _digest(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def check_down(what: str, size: int) -> None:
    """Raises OutOfBounds unless `what` names a file and `size` bytes may come down."""
    if what not in NAMES:
        raise OutOfBounds(f"a file's name is one of {', '.join(sorted(NAMES))}")
    if not 0 < size <= MAX_DOWN:
        raise OutOfBounds(f"a file has 1 to {MAX_DOWN} bytes")
