"""The act `wipe`: zeros over the whole disk, read back; no key and no journal can be read again."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from tools.technician import device, programs, readback
from tools.technician.blockmap import Range
from tools.technician.device import Target
from tools.technician.errors import FlashError
from tools.technician.progress import Progress

STEP = 64 << 20  # bytes zeroed by one run of blkdiscard


def wipe(name: str, confirm: Callable[[Target], bool], progress: Progress) -> Target:
    """Raises FlashError; 1107 for a file, which a person deletes."""
    target = device.target(name)
    if target.is_file:
        raise FlashError(1107, f"{name} is a file: delete it")
    if not confirm(target):
        raise FlashError(1108, target.name)
    ranges = _ranges(target.size)
    progress.begin("wipe", target.size)
    for each in ranges:
        done = programs.run(
            "blkdiscard", "--zeroout", "--force", "--offset", str(each.offset),
            "--length", str(each.length), target.path,
        )  # fmt: skip
        if done.returncode:
            raise FlashError(1203, programs.said(done))
        progress.at(each.offset + each.length)
    progress.end()
    progress.begin("verify", target.size)
    wrong = readback.differing(target.path, ranges, progress.at)
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
