"""The disk as a power cut left it.

A cut falls behind a write.  What was written before the newest flush is there.  Of each later write
the device's cache may have saved all, nothing, or some of its 512-byte sectors, in any order.
The block of the superblock is saved whole or not at all: ext4 writes it in place and counts on it.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tests.powercut.disk import Entry, Flush, Note, Write

SECTOR = 512  # bytes
BLOCK = 4096  # bytes, of ext4
SUPERBLOCK = BLOCK  # bytes at the start of the disk
_ZEROS = bytes(BLOCK)


class Cut(NamedTuple):
    """at: the log's entries that had come.  dropped: which of the pending writes are not whole.
    torn: of those the ones of which some sectors are there, with the seed that chooses them."""

    at: int
    dropped: frozenset[int]
    torn: dict[int, int]


def first_noted(log: Sequence[Entry], word: str) -> int:
    """Behind which entry the first note with that word stands; the log's end if there is none."""
    for at, entry in enumerate(log):
        if isinstance(entry, Note) and word in entry.said:
            return at + 1
    return len(log)


def said_before(log: Sequence[Entry], at: int) -> list[dict[str, Any]]:
    """The notes that had been made."""
    return [entry.said for entry in log[:at] if isinstance(entry, Note)]


def pending(log: Sequence[Entry], at: int) -> list[int]:
    """The writes since the newest flush before `at`."""
    found = []
    for index in range(at - 1, -1, -1):
        if isinstance(log[index], Flush):
            break
        if isinstance(log[index], Write):
            found.append(index)
    return found[::-1]


def choose(
    log: Sequence[Entry], count: int, chance: random.Random, *, after: int = 0, drops: bool = False
) -> list[Cut]:
    """At most `count` cuts, all different in (write, dropped writes), in the order of the log.

    Of two that leave the same disk the later is taken: more had been promised by then.
    after: none before that entry.  drops: each drops at least one write.
    """
    places = [at for at in range(max(1, after), len(log) + 1) if not isinstance(log[at - 1], Flush)]
    newest = newest_writes(log)
    chosen: dict[tuple[int, frozenset[int]], Cut] = {}
    for _ in range(50 * count if places else 0):
        cut = _draw(log, chance.choice(places), chance)
        pair = newest[cut.at], cut.dropped
        if drops and not cut.dropped:
            continue
        if pair in chosen:
            chosen[pair] = max(cut, chosen[pair], key=lambda each: each.at)
        elif len(chosen) < count:
            chosen[pair] = cut
    return sorted(chosen.values(), key=lambda cut: cut.at)


def newest_writes(log: Sequence[Entry]) -> list[int]:
    """For each number of entries that had come, which was the newest write; -1 for none."""
    found = [-1]
    for index, entry in enumerate(log):
        found.append(index if isinstance(entry, Write) else found[-1])
    return found


def _draw(log: Sequence[Entry], at: int, chance: random.Random) -> Cut:
    share = chance.choice((0.3, 0.5, 0.7, 1.0))
    dropped = frozenset(index for index in pending(log, at) if chance.random() < share)
    tearable = (index for index in sorted(dropped) if log[index].offset >= SUPERBLOCK)
    torn = {index: chance.randrange(1 << 30) for index in tearable if chance.random() < 0.4}
    return Cut(at, dropped, torn)


class Medium:
    """What is on the medium as the log goes by; `after` writes the disk behind one cut."""

    def __init__(self, image: bytes, log: Sequence[Entry]):
        self._log = log
        self._size = len(image)
        self._flushed = {
            at: image[at : at + BLOCK]
            for at in range(0, len(image), BLOCK)
            if image[at : at + BLOCK] != _ZEROS
        }
        self._at = 0  # entries before this one have been applied

    def after(self, cut: Cut, file: Path) -> None:
        """Make `file` the disk.  Cuts must be asked for in the order of the log."""
        waiting = pending(self._log, cut.at)
        self._flush_until(waiting[0] if waiting else cut.at)
        found = dict(self._flushed)
        for index in waiting:
            entry = self._log[index]
            assert isinstance(entry, Write)
            if index not in cut.dropped:
                _apply(found, entry, range(0, len(entry.data), SECTOR))
            elif index in cut.torn:
                _apply(found, entry, _survivors(entry, random.Random(cut.torn[index])))
        with open(file, "wb") as handle:
            for at, block in sorted(found.items()):
                handle.seek(at)
                handle.write(block)
            handle.truncate(self._size)

    def _flush_until(self, end: int) -> None:
        assert end >= self._at, "cuts out of order"
        for entry in self._log[self._at : end]:
            if isinstance(entry, Write):
                _apply(self._flushed, entry, range(0, len(entry.data), SECTOR))
        self._at = end


def _apply(blocks: dict[int, bytes], entry: Write, sectors: Iterable[int]) -> None:
    """Those sectors of the write; blocks: offset -> BLOCK bytes, all others are zeros."""
    changed: dict[int, bytearray] = {}
    for start in sectors:
        within = (entry.offset + start) % BLOCK
        at = entry.offset + start - within
        if at not in changed:
            changed[at] = bytearray(blocks.get(at, _ZEROS))
        changed[at][within : within + SECTOR] = entry.data[start : start + SECTOR]
    blocks.update((at, bytes(block)) for at, block in changed.items())


def _survivors(entry: Write, chance: random.Random) -> list[int]:
    """The sectors of a torn write that are there, at least one of them missing."""
    sectors = range(0, len(entry.data), SECTOR)
    missing = chance.choice(sectors)
    return [start for start in sectors if start != missing and chance.random() < 0.5]
