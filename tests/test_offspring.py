"""The uplink process as a child of the card process: it ends with its parent, and without noise."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import pytest

from tests.rig import BOARD

GENEROUS_S = 20.0


@pytest.fixture
def uplink(tmp_path):
    """The uplink process of a unit, serving; its standard input is the pipe of its parent."""
    (tmp_path / "data").mkdir()
    board = tmp_path / "board.toml"
    board.write_text(BOARD + f'[uplink.serial]\ndevice = "{tmp_path}/no-line"\n')
    process = subprocess.Popen(
        [sys.executable, "-m", "firmware", "--board", str(board), "--only", "uplink",
         "--with-parent"],
        stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert "no-line" in process.stderr.readline(), "it serves, and misses its line"
    yield process
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stderr):
        pipe.close()


def test_it_notices_that_its_parent_is_gone(uplink):
    """A parent killed by kill -9 closes the pipe and does nothing more."""
    uplink.stdin.close()
    assert uplink.wait(GENEROUS_S) == 0


def test_it_ends_in_peace_on_sigterm_while_its_parent_lives(uplink):
    """The thread that watches the parent must not abort the interpreter's end."""
    time.sleep(0.1)
    uplink.send_signal(signal.SIGTERM)
    assert uplink.wait(GENEROUS_S) == 0
    assert uplink.stderr.read() == ""
