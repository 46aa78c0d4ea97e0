"""The rig of the power cuts leaves nothing behind, and says what it lacks."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.powercut import system
from tests.waiting import until

ROOT = Path(__file__).resolve().parents[1]
LONGEST_S = 60


def attached(folder: Path) -> list[str]:
    """Loop devices that stand on a file in that folder."""
    return [
        device.parent.parent.name
        for device in Path("/sys/block").glob("loop*/loop/backing_file")
        if str(folder) in text_of(device)
    ]


def text_of(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:  # let go meanwhile
        return ""


@pytest.fixture
def cutting(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The rig at work, its files below tmp_path."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.powercut", "--seeds", "0", "20"],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stdout=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.mark.skipif(system.missing() is not None, reason=str(system.missing()))
@pytest.mark.timeout(3 * LONGEST_S)
@pytest.mark.parametrize("file", ["served/disk", "after.img"], ids=["recording", "judging"])
def test_killed_at_any_moment_it_leaves_no_device_and_no_mount(file, cutting, tmp_path):
    def is_at_work() -> bool:
        assert cutting.poll() is None
        backing = Path("/sys/block").glob("loop*/loop/backing_file")
        return any(str(tmp_path) in said and file in said for said in map(text_of, backing))

    until(is_at_work)
    assert str(tmp_path) not in Path("/proc/mounts").read_text()  # its mounts are its own
    cutting.kill()
    until(lambda: not attached(tmp_path))
    (left,) = tmp_path.iterdir()
    assert list(left.iterdir()) == []


def test_without_root_it_is_skipped_by_name(monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert "root" in str(system.missing())


def test_without_its_programs_it_says_what_to_run(monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(system, "PROGRAMS", ("mkfs.of-no-kind",))
    assert "tools/install_test_packages.sh" in str(system.missing())
