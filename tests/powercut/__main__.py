"""`python -m tests.powercut`: records sequences, cuts the power of each, prints one line of JSON.

    --build NAME         builds.py; as-it-is
    --seeds FIRST END    the sequences, END not among them; 0 1
    --cuts N             of each sequence; 40
    --drops              only cuts behind the first record noted, with at least one write dropped

{"build", "sequences", "replayed_whole": sequences whose log gives the recorded disk, "cuts",
"pairs": different (sequence, write, dropped writes), "torn": cuts with a torn write,
"mounts_failed", "verified": records the verifier found right, "seconds",
"failed": [{"sequence", "at", "dropped", "why"}, ...]}
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import random
import shutil
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.powercut import record, replay, system, verdict
from tests.powercut.disk import Entry
from tests.powercut.judge import Known, judge
from tests.powercut.replay import Cut

TMPFS = "size=512m"


def main() -> None:
    arguments = _arguments()
    logging.disable()  # what a spoilt build makes the firmware say is no news
    system.end_with_parent()
    system.leave_mounts()
    place = Path(tempfile.mkdtemp(prefix="ssc-powercut-"))
    try:
        system.mount("powercut", place, "tmpfs", TMPFS)
        try:
            print(json.dumps(Run(place, arguments).result()), flush=True)
        finally:
            system.unmount(place)
    finally:
        place.rmdir()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.powercut")
    parser.add_argument("--build", default="as-it-is")
    parser.add_argument("--seeds", type=int, nargs=2, default=(0, 1))
    parser.add_argument("--cuts", type=int, default=40)
    parser.add_argument("--drops", action="store_true")
    return parser.parse_args()


class Run:
    """place: a folder in memory; every file of the run is there."""

    def __init__(self, place: Path, arguments: argparse.Namespace):
        self._place = place
        self._build: str = arguments.build
        self._seeds = range(*arguments.seeds)
        self._count: int = arguments.cuts
        self._drops: bool = arguments.drops
        self._batches = place / "batches"
        self._mounted = place / "after"
        for each in (self._batches, self._mounted):
            each.mkdir()
        self._pairs: set[tuple[int, int, frozenset[int]]] = set()
        self._cuts = self._torn = self._mounts_failed = self._replayed_whole = 0
        self._failed: list[dict[str, Any]] = []
        self._names: dict[str, tuple[int, Cut]] = {}

    def result(self) -> dict[str, Any]:
        began = time.monotonic()
        blank = record.blank(self._place)
        for seed in self._seeds:
            self._sequence(seed, blank)
        verified, wrong = verdict.verify(self._batches)
        for name, why in wrong.items():
            self._fail(*self._names[name], why)
        return {
            "build": self._build,
            "sequences": len(self._seeds),
            "replayed_whole": self._replayed_whole,
            "cuts": self._cuts,
            "pairs": len(self._pairs),
            "torn": self._torn,
            "mounts_failed": self._mounts_failed,
            "verified": verified,
            "seconds": round(time.monotonic() - began, 1),
            "failed": self._failed,
        }

    def _sequence(self, seed: int, blank: bytes) -> None:
        log, left = record.record(self._place, blank, seed, self._build)
        self._replayed_whole += self._replays(blank, log, left)
        after = replay.first_noted(log, "records") if self._drops else 0
        cuts = replay.choose(log, self._count, random.Random(seed), after=after, drops=self._drops)
        newest = replay.newest_writes(log)
        made = Known.of(replay.said_before(log, len(log)))
        medium, image = replay.Medium(blank, log), self._place / "after.img"
        for cut in cuts:
            self._cuts += 1
            self._torn += bool(cut.torn)
            self._pairs.add((seed, newest[cut.at], cut.dropped))
            name = f"{seed}-{self._cuts}"
            self._names[name] = (seed, cut)
            safe = Known.of(replay.said_before(log, cut.at))
            medium.after(cut, image)
            why = self._after(image, safe, made, self._batches / name)
            if why:
                self._fail(seed, cut, why)
                shutil.rmtree(self._batches / name, ignore_errors=True)

    def _replays(self, blank: bytes, log: Sequence[Entry], left: bytes) -> bool:
        """Whether the log, nothing dropped, gives the disk that was recorded."""
        image = self._place / "whole.img"
        replay.Medium(blank, log).after(Cut(len(log), frozenset(), {}), image)
        return image.read_bytes() == left

    def _after(self, image: Path, safe: Known, made: Known, batches: Path) -> str:
        """What is wrong with that disk; nothing, if nothing is."""
        for _ in range(2):
            loop, device = system.attach(image, self._place)
            try:
                system.mount(device, self._mounted, "ext4")
                break
            except OSError:
                self._mounts_failed += 1
            finally:
                os.close(loop)
            system.run("e2fsck", "-p", image)  # as a terminal's start would
        else:
            return "the file system cannot be mounted"
        try:
            judge(self._mounted, safe, made, batches)
        except Exception as error:
            return f"{type(error).__name__}: {error}"
        finally:
            system.unmount(self._mounted)
        return ""

    def _fail(self, seed: int, cut: Cut, why: str) -> None:
        self._failed.append(
            {"sequence": seed, "at": cut.at, "dropped": sorted(cut.dropped), "why": why}
        )


if __name__ == "__main__":
    main()
