"""A USB stick for a site without any line: batches go out on it, receipts and files come back.

    ssc-drop/plugged             written by the root helper that mounted the stick: one word
    ssc-drop/down/WHAT.cose      signed files for every unit
    ssc-drop/UNIT/out/N.batch    batches, the bytes of out/; N as in journal/spool.py
    ssc-drop/UNIT/receipts/N.receipt
    ssc-drop/UNIT/down/WHAT.cose signed files for this unit
    ssc-drop/UNIT/done           the word of `plugged`, when everything is on the stick

A stick may be pulled out at any moment: what it holds are copies, a batch stays in data_dir until
its receipt was verified, and whatever is half written is written again at the next visit.
"""

from __future__ import annotations

import itertools
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from firmware.journal import spool as folders
from firmware.uplink.frame import MAX_DOWN, MAX_RECEIPT
from firmware.uplink.spool import NoSuchBatch, OutOfBounds, Spool

_log = logging.getLogger(__name__)

ROOT, PLUGGED, DONE = "ssc-drop", "plugged", "done"
LOOK_S = 1.0
AGAIN_S = 60.0  # a stick that stays
_MOST_FILES = 10_000  # of one folder
_MAX_WORD = 64


class DropLink:
    """folder: where a stick appears; nothing is done while it holds no ssc-drop."""

    def __init__(
        self,
        unit: str,
        spool: Spool,
        folder: Path,
        monotonic: Callable[[], float] = time.monotonic,
    ):
        self._unit = unit
        self._spool = spool
        self._root = folder / ROOT
        self._own = self._root / unit
        self._monotonic = monotonic
        self._visited: tuple[str, float] | None = None
        self._complaint = ""

    def run(self, stop: threading.Event) -> None:
        while not stop.wait(LOOK_S):
            self.look()

    def look(self) -> None:
        """Visit a stick that is new, or that has stayed for AGAIN_S."""
        word = self._plugged()
        now_s = self._monotonic()
        if word is None:
            self._visited = None
        elif self._visited is None or self._visited[0] != word or now_s > self._visited[1]:
            self._visited = (word, now_s + AGAIN_S)
            try:
                self.visit(word)
                self._complaint = ""
            except OSError as error:  # pulled out, full, or worn
                self._complain(f"{error.strerror or error}")

    def _plugged(self) -> str | None:
        """The helper's word, empty where nobody wrote one; None: no stick."""
        if not _is_folder(self._root):
            return None
        try:
            return _read(self._root / PLUGGED, _MAX_WORD).decode("ascii", "replace").strip()
        except OSError:
            return ""

    def visit(self, word: str) -> None:
        """Receipts first: what they end need not be copied.  Raises OSError."""
        for folder in (self._own, self._own / "out", self._own / "receipts"):
            if not _is_folder(folder):
                folder.mkdir()
        self._take_receipts()
        for folder in (self._root / "down", self._own / "down"):
            self._take_files(folder)
        copied = self._copy_batches()
        folders.write_atomic(self._own / DONE, word.encode())
        _log.info("drop: %d batches on the stick", copied)

    def _take_receipts(self) -> None:
        for path in _files(self._own / "receipts", ".receipt"):
            if path.stem.isascii() and path.stem.isdecimal():
                try:
                    self._spool.put_receipt(int(path.stem), _read(path, MAX_RECEIPT))
                except NoSuchBatch:
                    pass
                except OutOfBounds as error:
                    self._complain(f"{path.name}: {error}")
            path.unlink()

    def _take_files(self, folder: Path) -> None:
        for path in _files(folder, ".cose"):
            try:
                self._spool.put_down_if_new(path.stem, _read(path, MAX_DOWN))
            except OutOfBounds as error:
                self._complain(f"{path.name}: {error}")

    def _copy_batches(self) -> int:
        """How many are on the stick now; what is out no more is removed from it."""
        out = self._own / "out"
        waiting = self._spool.pending()
        names = {folders.batch_path(Path(), number).name for number in waiting}
        for path in _files(out, ""):
            if path.name not in names:
                path.unlink()
        copied = 0
        for number in waiting:
            try:
                _, content = self._spool.whole(number)
            except NoSuchBatch:  # receipted this moment
                continue
            path = out / folders.batch_path(Path(), number).name
            if not _holds(path, content):
                folders.write_atomic(path, content)
            copied += 1
        return copied

    def _complain(self, text: str) -> None:
        if text != self._complaint:
            self._complaint = text
            _log.warning("drop: %s", text)


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _files(folder: Path, suffix: str) -> Iterator[Path]:
    """Plain files only, in the order of their names, at most _MOST_FILES."""
    if not _is_folder(folder):
        return iter(())
    with os.scandir(folder) as entries:
        found = [
            Path(each.path)
            for each in itertools.islice(entries, _MOST_FILES)
            if each.name.endswith(suffix) and each.is_file(follow_symlinks=False)
        ]
    return iter(sorted(found))


def _read(path: Path, limit: int) -> bytes:
    """At most limit + 1 bytes: what is longer is seen to be.  Raises OSError."""
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)  # a pipe answers, too
    with open(handle, "rb") as file:
        return file.read(limit + 1)


def _holds(path: Path, content: bytes) -> bool:
    """The stick has these bytes already; a torn copy has others."""
    try:
        return _read(path, len(content)) == content
    except OSError:
        return False
