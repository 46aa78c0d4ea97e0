"""`sscoffice pull --folder`: a stick with batches of one or more units (firmware's drop.py).

    ssc-drop/UNIT/out/N.batch          read, stored
    ssc-drop/UNIT/receipts/N.receipt   written once the batch is on our disk
    ssc-drop/UNIT/down/WHAT.cose       signed files for that unit alone
    ssc-drop/down/WHAT.cose            signed files for all of them

Nothing is removed: the unit clears away what is done with.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from firmware.journal.spool import receipt_path, write_atomic
from firmware.uplink import subjects
from office.ca import UNIT_NAME
from office.errors import OfficeError, Refused
from office.intake import Taken
from office.offered import Offered

ROOT = "ssc-drop"
MAX_BATCH = (4 << 20) + (64 << 10)
TOGETHER = 64
_MOST_FILES = 10_000

Answer = Taken | Refused
Take = Callable[[Sequence[tuple[str, bytes]]], list[Answer]]
Progress = Callable[[str, int], None]
"""Called with the unit and how many of its batches are done."""


def pull(folder: Path, take: Take, offers: dict[str, list[Offered]], progress: Progress) -> None:
    """Take in what lies there and leave receipts and files.  Raises OfficeError 932, 909."""
    root = folder / ROOT
    if not root.is_dir() or root.is_symlink():
        raise OfficeError(932, f"{folder} holds no folder {ROOT}")
    try:
        for unit in _units(root):
            _take_unit(root / unit, unit, take, progress)
            _leave(root / unit / "down", offers.get(unit, []))
        _leave(root / "down", offers.get(subjects.ALL, []))
    except OSError as error:
        raise OfficeError(932, f"{folder}: {error.strerror or error}") from None


def _units(root: Path) -> list[str]:
    with os.scandir(root) as entries:
        return sorted(
            each.name
            for each in itertools.islice(entries, _MOST_FILES)
            if each.is_dir(follow_symlinks=False)
            and UNIT_NAME.fullmatch(each.name)
            and (root / each.name / "out").is_dir()
        )


def _take_unit(folder: Path, unit: str, take: Take, progress: Progress) -> None:
    receipts = folder / "receipts"
    receipts.mkdir(exist_ok=True)
    waiting = _batches(folder / "out")
    done = 0
    while group := list(itertools.islice(waiting, TOGETHER)):
        answers = take([(unit, content) for content in group])
        for answer in answers:
            if isinstance(answer, Taken):
                path = receipts / receipt_path(Path(), answer.batch).name
                write_atomic(path, answer.receipt)
        done += len(group)
        progress(unit, done)


def _batches(folder: Path) -> Iterator[bytes]:
    with os.scandir(folder) as entries:
        names = sorted(
            each.name
            for each in itertools.islice(entries, _MOST_FILES)
            if each.name.endswith(".batch") and each.is_file(follow_symlinks=False)
        )
    for name in names:
        handle = os.open(folder / name, os.O_RDONLY | os.O_NOFOLLOW)
        with open(handle, "rb") as file:
            yield file.read(MAX_BATCH + 1)


def _leave(folder: Path, files: list[Offered]) -> None:
    if files:
        folder.mkdir(exist_ok=True)
    for each in files:
        path = folder / f"{each.what}.cose"
        if not path.is_file() or path.read_bytes() != each.content:
            write_atomic(path, each.content)
