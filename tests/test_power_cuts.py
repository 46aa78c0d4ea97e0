"""After a power cut at any write nothing acknowledged is lost, nothing is doubled (M14-M18).

Real purchases on a real ext4, every write and flush recorded; the cuts are replayed and judged by
tests/powercut/ in processes of their own, two at a time.  docs/power-cuts.md.
"""

from __future__ import annotations

import json
import random
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import COUNTED
from tests.powercut import replay, system
from tests.powercut.disk import Flush, Note, Write

ROOT = Path(__file__).resolve().parents[1]
SEQUENCES, SHARE = 50, 5  # purchase sequences, of them in one process
CUTS, AGAIN = 36, 6  # of each sequence, and of a start after one of its cuts
LEAST_PAIRS = 2000
COUNTS = (
    *("sequences", "recordings", "replayed_whole", "pruned", "cuts", "pairs", "torn"),
    *("mounts_failed", "verified", "seconds"),
)
SPOILT = {  # build: (of its cuts must fail at least, what the judge says most often)
    "unsynced": (0.90, ("is lost", "is not in out/", "out/ holds other bytes", "device.key has")),
    "synced-at-checkpoints-only": (0.50, ("is lost",)),
    "early": (0.20, ("is lost",)),
    "renamed-unsynced": (0.15, ("out/ holds other bytes",)),
    "key-unsynced": (0.50, ("device.key has",)),
    "forgetful": (0.01, ("could be paid again",)),
    "hasty": (0.01, ("nobody has batch",)),
}
SPOILT_SEQUENCES, SPOILT_CUTS = 8, 15
LONGEST_S = 600  # on a machine that has much else to do; a minute on two idle cores

Result = dict[str, Any]

cut = pytest.mark.skipif(system.missing() is not None, reason=str(system.missing()))
slow = pytest.mark.timeout(LONGEST_S)


class Cutter:
    """Runs `python -m tests.powercut`, two at a time, and ends what still runs at its own end."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(2)
        self._running: set[subprocess.Popen[str]] = set()
        self._is_over = False

    def start(self, *arguments: object) -> Future[Result]:
        return self._pool.submit(self._run, *map(str, arguments))

    def _run(self, *arguments: str) -> Result:
        if self._is_over:
            raise RuntimeError("the tests are over")
        command = [sys.executable, "-m", "tests.powercut", *arguments]
        process = subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self._running.add(process)
        try:
            out, err = process.communicate(timeout=LONGEST_S)
        finally:
            process.kill()
            self._running.discard(process)
        assert process.returncode == 0, err
        result: Result = json.loads(out)
        return result

    def stop(self) -> None:
        self._is_over = True
        for process in list(self._running):
            process.kill()
        self._pool.shutdown(cancel_futures=True)


@pytest.fixture(scope="module")
def jobs() -> Iterator[dict[str, list[Future[Result]]]]:
    """Every run there is, begun at once; the futures of each build."""
    cutter = Cutter()
    try:
        runs = {
            "as-it-is": [
                cutter.start("--seeds", first, first + SHARE, "--cuts", CUTS, "--again", AGAIN)
                for first in range(0, SEQUENCES, SHARE)
            ]
        }
        for build in SPOILT:
            seeds = ("--seeds", 0, SPOILT_SEQUENCES, "--cuts", SPOILT_CUTS, "--again", 0)
            runs[build] = [cutter.start("--build", build, *seeds, "--drops")]
        yield runs
    finally:
        cutter.stop()


@cut
@slow
def test_nothing_acknowledged_is_lost_and_nothing_is_doubled(jobs, record_property):
    """At least 2,000 different (write, dropped writes) over 50 sequences of purchases."""
    results = [each.result(LONGEST_S) for each in jobs["as-it-is"]]
    total = {name: sum(each[name] for each in results) for name in COUNTS}
    record_property(COUNTED, ", ".join(f"{count} {name}" for name, count in total.items()))
    assert [fail for each in results for fail in each["failed"]] == []
    assert total["mounts_failed"] == 0
    assert total["sequences"] == SEQUENCES
    assert total["recordings"] == total["replayed_whole"] == 2 * SEQUENCES
    assert total["cuts"] == total["pairs"] >= LEAST_PAIRS
    assert total["pruned"] >= SEQUENCES
    assert total["torn"] >= total["cuts"] / 10
    assert total["verified"] >= 5 * total["cuts"]


@cut
@slow
@pytest.mark.parametrize("build", SPOILT)
def test_a_spoilt_build_fails(build, jobs, record_property):
    """The same code without its syncs, or acknowledging or forgetting too early, is caught."""
    (result,) = (each.result(LONGEST_S) for each in jobs[build])
    least, words = SPOILT[build]
    whys = Counter(fail["why"] for fail in result["failed"])
    failed = sum(whys.values())
    record_property(COUNTED, f"{failed} of {result['cuts']} cuts failed")
    assert result["cuts"] == result["pairs"] == SPOILT_SEQUENCES * SPOILT_CUTS
    assert failed >= least * result["cuts"]
    assert any(word in whys.most_common(1)[0][0] for word in words)
    assert [why for why in whys if not re.match(r"\w+Error: ", why)] == []  # found by the judge


# --- the replay itself, without a disk ---

LOG = [
    *(Write(8192, b"a" * 4096), Write(12288, b"b" * 8192), Flush(), Note({"records": []})),
    *(Write(8192, b"c" * 4096), Write(20480, b"d" * 4096), Write(8704, b"e" * 512)),
]
SIZE = 32768


def disk_after(folder: Path, *cuts: replay.Cut) -> bytes:
    medium = replay.Medium(bytes(SIZE), LOG)
    for each in cuts:
        medium.after(each, folder / "disk")
    return (folder / "disk").read_bytes()


def test_what_was_flushed_is_there_and_later_writes_lie_over_it(tmp_path):
    dropped = disk_after(tmp_path, replay.Cut(7, frozenset({4, 5, 6}), {}))
    assert dropped == bytes(8192) + b"a" * 4096 + b"b" * 8192 + bytes(12288)
    kept = disk_after(tmp_path, replay.Cut(3, frozenset(), {}), replay.Cut(7, frozenset(), {}))
    block = b"c" * 512 + b"e" * 512 + b"c" * 3072
    assert kept == bytes(8192) + block + b"b" * 8192 + b"d" * 4096 + bytes(8192)
    before = disk_after(tmp_path, replay.Cut(1, frozenset({0}), {}))
    assert before == bytes(SIZE)


def test_a_torn_write_lacks_some_sectors_and_has_no_other_bytes(tmp_path):
    seen = set()
    for seed in range(30):
        disk = disk_after(tmp_path, replay.Cut(6, frozenset({4}), {4: seed}))
        sectors = [disk[at : at + 512] for at in range(8192, 12288, 512)]
        assert {b"a" * 512} <= set(sectors) <= {b"a" * 512, b"c" * 512}
        assert disk[12288:] == b"b" * 8192 + b"d" * 4096 + bytes(8192)
        seen.add(disk)
    assert len(seen) > 10


def test_cuts_differ_in_the_write_or_in_what_was_dropped():
    cuts = replay.choose(LOG, 100, random.Random(1))
    newest = replay.newest_writes(LOG)
    pairs = [(newest[each.at], each.dropped) for each in cuts]
    assert len(set(pairs)) == len(pairs) == 2 + 4 + 2 + 4 + 8
    assert [each.at for each in cuts] == sorted(each.at for each in cuts)
    assert all(each.dropped <= set(replay.pending(LOG, each.at)) for each in cuts)
    assert all(set(each.torn) <= each.dropped for each in cuts)
    later = replay.choose(LOG, 100, random.Random(1), after=4, drops=True)
    assert len(later) == 1 + 3 + 7
    assert all(each.at >= 5 and each.dropped for each in later)


def test_of_two_cuts_with_the_same_disk_the_one_with_more_promised_is_taken():
    cuts = replay.choose(LOG, 100, random.Random(1))
    assert [each.at for each in cuts if each.at in (2, 4) and not each.dropped] == [4]


def test_the_superblock_is_never_torn():
    log = [Write(0, b"s" * 4096), Write(4096, b"t" * 4096)]
    cuts = [each for seed in range(50) for each in replay.choose(log, 9, random.Random(seed))]
    assert {index for each in cuts for index in each.torn} == {1}
