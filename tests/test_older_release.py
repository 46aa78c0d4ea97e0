"""An older release lists, verifies, seals, sends and prunes what a newer one appended, and back.

Issue part 1: "An older release must list, seal and send records that a newer one appended (tested
both ways): no schema change before an update is marked good."  tests/release.py is the releases.
"""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from firmware.journal import spool
from firmware.journal.batch import BatchContents, parse_batch
from tests.journal_maker import START_MS, TEST_OFFICE_KEY
from tests.receipts import receipt_of

ROOT = Path(__file__).resolve().parents[1]


def run(release: str, folder: Path, *acts: str) -> dict[str, Any]:
    command = (sys.executable, "-m", "tests.release", release, str(folder), *acts)
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def office(folder: Path, told: dict[str, Any]) -> list[BatchContents]:
    """Today's office: every batch that is out is verified and answered."""
    taken = []
    for number, path in spool.batches(folder):
        contents = parse_batch(path.read_bytes(), *map(bytes.fromhex, told["keys"]))
        receipt = receipt_of(contents.statement, TEST_OFFICE_KEY, START_MS)
        spool.receipt_path(folder, number).write_bytes(receipt)
        taken.append(contents)
    return taken


def check_whole(told: dict[str, Any]) -> None:
    """Nothing is missing or damaged, and nothing waits unsent."""
    assert told["damaged"] == []
    assert told["numbers"] == list(range(1, told["head"] + 1)) == told["stored"]
    assert told["unsent"] == []


WAYS = {
    "an older release after a newer one": ("newer", "older"),
    "a newer release after an older one": ("older", "newer"),
    "to and fro": ("newer", "older", "this", "newer"),
}


@pytest.mark.parametrize("releases", WAYS.values(), ids=WAYS)
def test_each_release_carries_on_what_another_began(
    tmp_path: Path, releases: tuple[str, ...]
) -> None:
    digests: dict[str, str] = {}
    sent: list[int] = []
    for release in releases:
        acts = ("write", "day", "rotate", "write") if release == "newer" else ("write",)
        told = run(release, tmp_path, *acts, "send")
        sent += [each.number for each in sum((b.records for b in office(tmp_path, told)), ())]
        told = run(release, tmp_path, "receipts")
        check_whole(told)
        assert digests.items() <= told["digests"].items()  # not a byte of the others is changed
        digests = told["digests"]
    assert sent == told["numbers"]
    shown = set(told["kinds"])
    if "newer" in releases:
        by_newer = {"FUTURE", "DAY_KEY", "KEY_CHANGE"}
        by_older = {"KIND 99", "KIND 23", "KIND 24"}
        assert shown >= (by_newer if releases[-1] == "newer" else by_older)


@pytest.mark.parametrize(("first", "second"), [("newer", "older"), ("older", "newer")])
def test_what_one_release_wrote_another_seals_sends_and_is_receipted_for(
    tmp_path: Path, first: str, second: str
) -> None:
    day = ("day", "rotate") if first == "newer" else ()
    written = run(first, tmp_path, "write", *day)
    told = run(second, tmp_path, "send")
    assert told["digests"] == written["digests"]
    batches = office(tmp_path, told)
    assert [r.number for each in batches for r in each.records] == written["numbers"]
    check_whole(run(second, tmp_path, "receipts"))


@pytest.mark.parametrize(("pruning", "after"), [("newer", "older"), ("older", "newer")])
def test_a_journal_that_one_release_pruned_is_whole_for_another(
    tmp_path: Path, pruning: str, after: str
) -> None:
    told = run("newer", tmp_path, "write", "day", "rotate", "write", "write", "send")
    office(tmp_path, told)
    pruned = run(pruning, tmp_path, "receipts", "prune")
    assert pruned["damaged"] == []
    assert 0 < len(pruned["numbers"]) < told["head"] - 15
    assert set(told["open"]) == set(pruned["open"]) <= set(pruned["numbers"])
    told = run(after, tmp_path, "write", "send")
    assert told["damaged"] == []
    assert told["floor"] == pruned["floor"]
    assert set(pruned["numbers"]) <= set(told["numbers"])
    assert told["numbers"][-1] == told["head"] == pruned["head"] + 13
    office(tmp_path, told)
    told = run(after, tmp_path, "receipts", "prune")
    assert (told["damaged"], told["unsent"]) == ([], [])


def test_no_release_changes_the_schema(tmp_path: Path) -> None:
    schemas = []
    for release in ("older", "newer", "older"):
        run(release, tmp_path, "write")
        with sqlite3.connect(tmp_path / "journal.db") as other:
            schemas.append(other.execute("SELECT sql FROM sqlite_schema ORDER BY name").fetchall())
        other.close()
    assert schemas[0] == schemas[1] == schemas[2]


def test_an_older_release_writes_nothing_it_does_not_know(tmp_path: Path) -> None:
    """The rig itself: `older` really has forgotten."""
    command = (sys.executable, "-m", "tests.release", "older", str(tmp_path), "day")
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert "kind 23 is not known" in done.stderr
