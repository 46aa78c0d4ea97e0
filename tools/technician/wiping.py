"""The act `wipe`: zeros over the whole disk, read back; no key and no journal can be read again."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from tools.technician import programs, readback
from tools.technician.blockmap import Range
from tools.technician.causes import said_number
from tools.technician.device import Target
from tools.technician.errors import FlashError
from tools.technician.holding import Held
from tools.technician.progress import Progress

STEP = 64 << 20  # bytes zeroed by one run of blkdiscard
STEP_S = 600.0  # for one: the slowest card that is still one


def wipe(held: Held, confirm: Callable[[Target], bool], progress: Progress) -> Target:
    """Raises FlashError; 1107 for a file, which a person deletes."""
    target = held.target
    if target.is_file:
        raise FlashError(1107, f"{target.path} is a file: delete it")
    if not confirm(target):
        raise FlashError(1108, target.name)
    held.check(1112)
    ranges = _ranges(target.size)
    progress.begin("wipe", target.size)
    for each in ranges:
        # Not --force: it would write on a disk that is in use.
        done = programs.run(
            "blkdiscard", "--zeroout", "--offset", str(each.offset),
            "--length", str(each.length), target.path, deadline_s=STEP_S,
        )  # fmt: skip
        if done.returncode:
            said = programs.said(done)
            raise FlashError(said_number(said, target.path), said)
        progress.at(each.offset + each.length)
    progress.end()
    progress.begin("verify", target.size)
    wrong = readback.differing(target.path, ranges, progress.at)
    held.check(1201)
    progress.end()
    if wrong:
        raise FlashError(1204, f"{target.path}: not zero at byte {wrong[0].offset}")
    return target


def _ranges(size: int) -> list[Range]:
    digests = {length: _zeros(length) for length in {min(STEP, size), size % STEP or STEP}}
    lengths = [min(STEP, size - offset) for offset in range(0, size, STEP)]
    return [Range(at * STEP, length, digests[length]) for at, length in enumerate(lengths)]


def _zeros(length: int) -> str:
    digest, piece = hashlib.sha256(), bytes(1 << 20)
    for at in range(0, length, len(piece)):
        digest.update(piece[: min(len(piece), length - at)])
    return digest.hexdigest()
