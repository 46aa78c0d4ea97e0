"""Sequences recorded, cut and judged, one after the other, in one folder."""

from __future__ import annotations

import functools
import random
import shutil
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.powercut import record, replay, system, verdict
from tests.powercut.disk import Entry
from tests.powercut.judge import Known, judge
from tests.powercut.replay import Cut
from tests.powercut.sequence import Day

# Now and then a sequence goes on in a journal of some size: about the 256 records of which a start
# checks the newest, and of the first ceiling.
USED_EVERY, USED_RECORDS = 25, 250
AGAIN_TURNS = 3


@dataclass(frozen=True)
class Before:
    """A disk to begin with: what its terminal may rely on, and what it has made."""

    image: bytes
    safe: Known
    made: Known


class Run:
    """place: a folder in memory, in a mount namespace of this process.

    again: cuts of the start after a cut.  drops: see replay.choose.
    """

    def __init__(self, place: Path, build: str, cuts: int, again: int, *, drops: bool):
        self._place = place
        self._build = build
        self._count = cuts
        self._again = again
        self._drops = drops
        self._batches = place / "batches"
        self._mounted = place / "after"
        for each in (self._batches, self._mounted):
            each.mkdir()
        self._pairs: set[tuple[str, int, frozenset[int]]] = set()
        self._counts = dict.fromkeys(
            (
                "sequences",
                "recordings",
                "replayed_whole",
                "pruned",
                "cuts",
                "torn",
                "mounts_failed",
            ),
            0,
        )
        self._failed: list[dict[str, Any]] = []
        self._names: dict[str, tuple[str, Cut]] = {}

    def result(self, seeds: Iterable[int]) -> dict[str, Any]:
        """As in __main__.py."""
        began = time.monotonic()
        for seed in seeds:
            self._counts["sequences"] += 1
            self._sequence(seed)
        verified, wrong = verdict.verify(self._batches)
        for name, why in wrong.items():
            self._fail(*self._names[name], why)
        return {
            "build": self._build,
            **self._counts,
            "pairs": len(self._pairs),
            "verified": verified,
            "seconds": round(time.monotonic() - began, 1),
            "failed": self._failed,
        }

    def _sequence(self, seed: int) -> None:
        before = self._used if seed % USED_EVERY == USED_EVERY - 1 else self._new
        left = self._record_and_cut(f"{seed}", before, seed, None, self._count)
        if left is not None and self._again:
            self._record_and_cut(f"{seed}, again", left, seed + 1000, AGAIN_TURNS, self._again)

    @functools.cached_property
    def _new(self) -> Before:
        return Before(record.blank(self._place), Known(), Known())

    @functools.cached_property
    def _used(self) -> Before:
        image = record.used(self._place, self._new.image, USED_RECORDS)
        file = self._place / "after.img"
        file.write_bytes(image)
        system.mount_image(file, self._mounted, self._place)
        try:
            known = Known.of(self._mounted)
        finally:
            system.unmount(self._mounted)
        return Before(image, known, known)

    def _record_and_cut(
        self, name: str, before: Before, seed: int, turns: int | None, count: int
    ) -> Before | None:
        """Record a day that begins there and cut it; the disk that one of the cuts left."""
        try:
            log, left = record.record(
                self._place,
                before.image,
                self._build,
                lambda folder, notes: Day(folder, notes, seed, before.safe.office).run(turns),
            )
        except record.RecordingError as error:
            self._fail(name, Cut(0, frozenset(), {}), str(error))
            return None
        self._counts["recordings"] += 1
        self._counts["replayed_whole"] += self._replays(before.image, log, left)
        after = replay.first_noted(log, "records") if self._drops else 0
        cuts = replay.choose(log, count, random.Random(seed), after=after, drops=self._drops)
        newest = replay.newest_writes(log)
        made = before.made.and_then(replay.said_before(log, len(log)))
        self._counts["pruned"] += len(made.gone(made.pruned.keys() - before.made.pruned.keys()))
        medium, image = replay.Medium(before.image, log), self._place / "after.img"
        found = None
        kept = random.Random(seed).choice(cuts) if cuts else None
        for cut in cuts:
            self._pairs.add((name, newest[cut.at], cut.dropped))
            safe = before.safe.and_then(replay.said_before(log, cut.at))
            medium.after(cut, image)
            if cut is kept:
                found = Before(image.read_bytes(), safe, made)
            self._judge(name, cut, safe, made)
        return found

    def _replays(self, image: bytes, log: Sequence[Entry], left: bytes) -> bool:
        """Whether the log, nothing dropped, gives the disk that was recorded."""
        file = self._place / "whole.img"
        replay.Medium(image, log).after(Cut(len(log), frozenset(), {}), file)
        return file.read_bytes() == left

    def _judge(self, name: str, cut: Cut, safe: Known, made: Known) -> None:
        self._counts["cuts"] += 1
        self._counts["torn"] += bool(cut.torn)
        folder = f"{self._counts['cuts']:06d}"
        self._names[folder] = (name, cut)
        if why := self._what_is_wrong(safe, made, self._batches / folder):
            self._fail(name, cut, why)
            shutil.rmtree(self._batches / folder, ignore_errors=True)

    def _what_is_wrong(self, safe: Known, made: Known, batches: Path) -> str:
        """With the disk in after.img; nothing, if nothing is."""
        if not self._is_mounted(self._place / "after.img"):
            return "the file system cannot be mounted"
        try:
            judge(self._mounted, safe, made, batches)
        except Exception as error:
            return f"{type(error).__name__}: {error}"
        finally:
            system.unmount(self._mounted)
        return ""

    def _is_mounted(self, image: Path) -> bool:
        """Mounted as a terminal's start would do it, with e2fsck -p when it must be."""
        for _ in range(2):
            try:
                system.mount_image(image, self._mounted, self._place)
                return True
            except OSError:
                self._counts["mounts_failed"] += 1
                system.run("e2fsck", "-p", image)
        return False

    def _fail(self, name: str, cut: Cut, why: str) -> None:
        self._failed.append(
            {"recording": name, "at": cut.at, "dropped": sorted(cut.dropped), "why": why}
        )
