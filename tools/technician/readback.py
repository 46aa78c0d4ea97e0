"""Reading what is really there: past the page cache, which would only repeat what was written."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import mmap
import os
import subprocess
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import IO

from tools.technician import programs
from tools.technician.blockmap import Range
from tools.technician.causes import error_number
from tools.technician.errors import FlashError
from tools.technician.release import Image

PIECE = 4 << 20  # bytes read at once
GRAIN = 1 << 20  # bytes compared, and written again, at once
_SECTORS = 4096
_BLKFLSBUF = 0x1261  # <linux/fs.h>


class Uncached:
    """A file or device, read without its cache.  how: "direct" (O_DIRECT) or "dropped"."""

    def __init__(self, path: str):
        with _told(path):
            try:
                self._fd = os.open(path, os.O_RDONLY | os.O_DIRECT | os.O_CLOEXEC)
                self.how = "direct"
            except OSError as error:
                if error.errno != errno.EINVAL:
                    raise
                self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
                self.how = "dropped"
                _drop(self._fd)
        self._path = path
        self._buffers = [mmap.mmap(-1, PIECE) for _ in range(2)]

    def pieces(self, ranges: Sequence[Range]) -> Iterator[tuple[int, memoryview]]:
        """(index of the range, bytes): each range from its begin to its end.

        The next piece is read while the caller works on this one; a piece is good until the next.
        Raises FlashError 1201, 1203.
        """
        wanted = [
            (index, at, min(PIECE, each.offset + each.length - at))
            for index, each in enumerate(ranges)
            for at in range(each.offset, each.offset + each.length, PIECE)
        ]
        with ThreadPoolExecutor(1) as reader:
            coming = [reader.submit(self._read, 0, *wanted[0][1:])] if wanted else []
            for place, (index, _, _) in enumerate(wanted):
                piece = coming.pop().result()
                if place + 1 < len(wanted):
                    turn = (place + 1) % 2
                    coming.append(reader.submit(self._read, turn, *wanted[place + 1][1:]))
                yield index, piece

    def _read(self, turn: int, offset: int, length: int) -> memoryview:
        whole = memoryview(self._buffers[turn])[: -(-length // _SECTORS) * _SECTORS]
        with _told(self._path):
            got = os.preadv(self._fd, [whole], offset)
        if got < length:
            raise FlashError(1203, f"{self._path}: ends at byte {offset + got}")
        return whole[:length]

    def close(self) -> None:
        os.close(self._fd)

    def __enter__(self) -> Uncached:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def drop_cache(path: str) -> None:
    """What was written to a file or device is on it, and is read from it.  Raises FlashError."""
    with _told(path):
        opened = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            _drop(opened)
        finally:
            os.close(opened)


def _drop(opened: int) -> None:
    os.fsync(opened)
    os.posix_fadvise(opened, 0, 0, os.POSIX_FADV_DONTNEED)
    try:
        fcntl.ioctl(opened, _BLKFLSBUF)
    except OSError as error:
        if error.errno not in (errno.ENOTTY, errno.EINVAL):
            raise


@contextmanager
def _told(path: str) -> Iterator[None]:
    """OSError -> FlashError."""
    try:
        yield
    except OSError as error:
        raise FlashError(error_number(error.errno, path), f"{path}: {error.strerror}") from None


def differing(path: str, ranges: Sequence[Range], at: Callable[[int], None]) -> list[Range]:
    """The ranges whose bytes on `path` have another SHA-256.  at: told the bytes done."""
    found = []
    with Uncached(path) as there:
        digest, last, done = hashlib.sha256(), 0, 0
        for index, piece in there.pieces(ranges):
            if index != last:
                if digest.hexdigest() != ranges[last].sha256:
                    found.append(ranges[last])
                digest, last = hashlib.sha256(), index
            digest.update(piece)
            done += len(piece)
            at(done)
        if ranges and digest.hexdigest() != ranges[last].sha256:
            found.append(ranges[last])
    return found


def missing(path: str, image: Image, at: Callable[[int], None]) -> list[Range]:
    """What of the image is not on `path`, in grains, neighbours joined, with their SHA-256.

    The image is checked against its map on the way: FlashError 1007 if it is damaged.
    """
    found = _Missing()
    ranges = image.block_map.ranges
    with Uncached(path) as there, contents(image) as source:
        digest, last, done, place = hashlib.sha256(), 0, 0, 0
        for index, piece in there.pieces(ranges):
            if index != last:
                _check(digest.hexdigest(), ranges[last], image)
                digest, last, place = hashlib.sha256(), index, 0
            ours = source(ranges[index].offset + place, len(piece))
            digest.update(ours)
            for start in range(0, len(piece), GRAIN):
                if ours[start : start + GRAIN] != piece[start : start + GRAIN]:
                    offset = ranges[index].offset + place + start
                    found.add(offset, ours[start : start + GRAIN])
            place += len(piece)
            done += len(piece)
            at(done)
        _check(digest.hexdigest(), ranges[last], image)
    return found.ranges()


class _Missing:
    """Grains in order, joined where one follows the other."""

    def __init__(self) -> None:
        self._closed: list[Range] = []
        self._begin = self._end = 0
        self._digest = hashlib.sha256()

    def add(self, offset: int, data: bytes) -> None:
        if offset != self._end or self._begin == self._end:
            self._close()
            self._begin, self._digest = offset, hashlib.sha256()
        self._digest.update(data)
        self._end = offset + len(data)

    def _close(self) -> None:
        if self._end > self._begin:
            length = self._end - self._begin
            self._closed.append(Range(self._begin, length, self._digest.hexdigest()))

    def ranges(self) -> list[Range]:
        self._close()
        self._begin = self._end
        return self._closed


def _check(digest: str, of: Range, image: Image) -> None:
    if digest != of.sha256:
        raise FlashError(1007, f"{image.path.name}: bytes from {of.offset} on")


@contextmanager
def contents(image: Image) -> Iterator[Callable[[int, int], bytes]]:
    """A function (offset, length) -> bytes of the raw image; offsets never go back."""
    if not image.is_compressed:
        with image.path.open("rb") as file:
            yield lambda offset, length: _raw(file, offset, length)
        return
    command = [programs.path_of("zstd"), "-dcq", str(image.path)]
    unpacking = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert unpacking.stdout is not None
    position = 0

    def read(offset: int, length: int) -> bytes:
        nonlocal position
        assert unpacking.stdout is not None
        while position < offset:
            position += len(_whole(unpacking.stdout, min(PIECE, offset - position)))
        position += length
        return _whole(unpacking.stdout, length)

    try:
        yield read
    finally:
        unpacking.kill()
        unpacking.wait(programs.DEADLINE_S)
        unpacking.stdout.close()


def _raw(file: IO[bytes], offset: int, length: int) -> bytes:
    file.seek(offset)
    return _whole(file, length)


def _whole(file: IO[bytes], length: int) -> bytes:
    data = file.read(length)
    if len(data) < length:
        raise FlashError(1007, "the image ends too early")
    return data
