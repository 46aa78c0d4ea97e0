"""Issue 5.2: `--self-test` says of each part whether it works, and fails when one does not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from firmware import selftest
from firmware.board import load
from tests.test_daemon import Stand, until

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def stand(tmp_path: Path) -> Iterator[Stand]:
    made = Stand(tmp_path)
    yield made
    made.end()


def self_test(stand: Stand) -> tuple[int, dict[str, Any]]:
    ended = subprocess.run(
        [sys.executable, "-m", "firmware", "--board", stand.board, "--self-test", "--json"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return ended.returncode, json.loads(ended.stdout)


def test_a_unit_that_runs_is_good_and_one_that_stopped_is_not(stand: Stand) -> None:
    stand.start_simulator()
    daemon = stand.start_daemon()
    until(lambda: self_test(stand)[0] == 0)
    status, told = self_test(stand)
    assert (status, told["ok"], set(told["parts"].values())) == (0, True, {"ok"})
    assert "batches wait" in told["office"]  # told, and not required
    daemon.terminate()
    daemon.wait(30)
    status, told = self_test(stand)
    assert (status, told["ok"]) == (1, False)
    assert "no terminal answers" in told["parts"]["reader"]
    assert told["parts"]["uplink"] == "the uplink process does not run"


def test_the_lock_tells_whether_the_uplink_process_lives(stand: Stand) -> None:
    board = load(stand.board)
    board.unit.data_dir.mkdir(parents=True, exist_ok=True)
    assert "never ran" in str(selftest._uplink(board))
    handle = selftest.hold_uplink_lock(board.unit.data_dir)
    assert selftest._uplink(board) is None
    os.close(handle)
    assert selftest._uplink(board) == "the uplink process does not run"
