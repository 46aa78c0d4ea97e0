"""The three folders through which the uplink meets the card process (docs/architecture.md).

    out/<batch>.batch      read: sealed batches, gone when their receipt was verified
    up/<batch>.receipt     written: receipts as they came, unverified
    down/<what>.cose       written: signed files from the office, unverified

Every file is written as temporary file, fsync, rename, fsync of the folder.  The card process alone
judges what lies in up/ and down/; nothing here needs a key.
"""

from __future__ import annotations

import hashlib
import os
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from firmware.uplink.frame import MAX_DOWN, MAX_RECEIPT

_BATCH_NAME = re.compile(r"(\d{1,18})\.batch", re.ASCII)
_WHAT = re.compile(r"[a-z][a-z0-9_-]{0,31}", re.ASCII)
MAX_READ = 1 << 16  # bytes in memory at a time


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
        self._out = data_dir / "out"
        self._up = data_dir / "up"
        self._down = data_dir / "down"
        self._writing = threading.Lock()
        for folder in (self._out, self._up, self._down):
            folder.mkdir(parents=True, exist_ok=True)

    def pending(self) -> list[int]:
        """The numbers of the batches that wait for a receipt, oldest first."""
        return sorted(self._paths())

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
        for piece in self._pieces(number):
            digest.update(piece)
            size += len(piece)
        return SealedBatch(number, size, digest.digest())

    def read(self, number: int, offset: int, length: int) -> bytes:
        """`length` bytes of the file, 1 to MAX_READ; fewer at its end, none behind it."""
        if not 0 < length <= MAX_READ:
            raise OutOfBounds(f"a read has 1 to {MAX_READ} bytes")
        if offset >= 1 << 62:
            raise OutOfBounds("no file is that long")
        try:
            with self._path(number).open("rb") as file:
                file.seek(offset)
                return file.read(length)
        except FileNotFoundError:
            raise NoSuchBatch(f"batch {number}") from None

    def put_receipt(self, number: int, receipt: bytes) -> None:
        """Hand a receipt to the card process.  Raises NoSuchBatch, OutOfBounds."""
        if not 0 < len(receipt) <= MAX_RECEIPT:
            raise OutOfBounds(f"a receipt has 1 to {MAX_RECEIPT} bytes")
        self._write(self._up / f"{self._path(number).stem}.receipt", receipt)

    def put_down(self, what: str, content: bytes) -> None:
        """Hand a signed file to the card process.  Raises OutOfBounds."""
        check_down(what, len(content))
        self._write(self._down / f"{what}.cose", content)

    def holds_down(self, what: str, digest: bytes) -> bool:
        """down/ already holds the file with that SHA-256.  Raises OutOfBounds."""
        check_down(what, 1)
        try:
            content = (self._down / f"{what}.cose").read_bytes()
        except FileNotFoundError:
            return False
        return hashlib.sha256(content).digest() == digest

    def clean(self) -> None:
        """Remove receipts whose batch is gone from out/, and what a power cut left half written."""
        with self._writing:
            waiting = {path.stem for path in self._paths().values()}
            for receipt in self._up.glob("*.receipt"):
                if receipt.stem not in waiting:
                    receipt.unlink(missing_ok=True)
            for folder in (self._up, self._down):
                for half_written in folder.glob("*.tmp"):
                    half_written.unlink(missing_ok=True)

    def _paths(self) -> dict[int, Path]:
        found = {}
        for path in self._out.iterdir():
            match = _BATCH_NAME.fullmatch(path.name)
            if match:
                found[int(match[1])] = path
        return found

    def _path(self, number: int) -> Path:
        try:
            return self._paths()[number]
        except KeyError:
            raise NoSuchBatch(f"batch {number}") from None

    def _pieces(self, number: int) -> Iterator[bytes]:
        try:
            with self._path(number).open("rb") as file:
                while piece := file.read(MAX_READ):
                    yield piece
        except FileNotFoundError:
            raise NoSuchBatch(f"batch {number}") from None

    def _write(self, path: Path, content: bytes) -> None:
        temporary = path.with_name(path.name + ".tmp")
        with self._writing:
            with temporary.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            temporary.rename(path)
            folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)


def check_down(what: str, size: int) -> None:
    """Raises OutOfBounds unless `what` names a file and `size` bytes may come down."""
    if not _WHAT.fullmatch(what):
        raise OutOfBounds("a file's name has 1 to 32 of a-z 0-9 _ -, a letter first")
    if not 0 < size <= MAX_DOWN:
        raise OutOfBounds(f"a file has 1 to {MAX_DOWN} bytes")
