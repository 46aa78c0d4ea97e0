"""The uplink process as a child of the card process: it ends with its parent, and without noise."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from firmware.offspring import Child
from tests.rig import BOARD
from tests.waiting import until

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


def lives(folder, code):
    """A child that notes each of its starts and then does what `code` says."""
    note = f"import sys, time; open({str(folder / 'starts')!r}, 'a').write('x'); "
    return [sys.executable, "-S", "-c", note + code]


def starts(folder):
    path = folder / "starts"
    return len(path.read_text()) if path.exists() else 0


def test_a_child_that_ends_is_started_again_later_each_time(tmp_path):
    child = Child("test", lives(tmp_path, "sys.exit(3)"), restart_s=0.05)
    until(lambda: starts(tmp_path) >= 3)
    child.stop()
    before = starts(tmp_path)
    time.sleep(0.3)
    assert starts(tmp_path) == before


def test_a_child_that_cannot_be_started_is_tried_again(tmp_path, caplog):
    child = Child("test", [str(tmp_path / "no such program")], restart_s=0.01)
    until(lambda: len(caplog.records) >= 2)
    child.stop()
    assert "could not be started" in caplog.text


def test_stop_ends_a_child_that_will_not_listen(tmp_path, monkeypatch):
    monkeypatch.setattr("firmware.offspring.STOP_S", 0.2)
    deaf = "import signal; signal.signal(15, signal.SIG_IGN); print(end='x', flush=True); "
    child = Child("test", lives(tmp_path, deaf + "time.sleep(60)"))
    until(lambda: starts(tmp_path) == 1)
    time.sleep(0.1)
    pid = child._process.pid
    child.stop()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
