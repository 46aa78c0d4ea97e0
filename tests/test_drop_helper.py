"""The root helper that mounts a stick: the whole way on a real file system."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from pathlib import Path

import pytest

from firmware.uplink.drop import DropLink
from office.__main__ import main
from tests.link_rig import Office, Unit
from tests.waiting import SOON_S

ROOT = Path(__file__).resolve().parents[1]
HELPER = ROOT / "tools" / "drop" / "ssc-drop.sh"


@pytest.fixture
def office(tmp_path):
    return Office(tmp_path / "office")


def link_of(unit, stick):
    return DropLink(unit.terminal.unit, unit.spool, stick)


def pull(office, stick):
    return main(["pull", "--dir", str(office.path), "--folder", str(stick), "--json"])


def kernel_has(kind):
    return any(line.split()[-1] == kind for line in Path("/proc/filesystems").open())


def cannot_mount():
    if os.geteuid() != 0:
        return "needs root: it mounts a stick"
    made = subprocess.run(
        ["unshare", "-m", "true"], capture_output=True, timeout=SOON_S, check=False
    )
    return "" if made.returncode == 0 else "this machine does not let root mount"


KIND = "vfat" if kernel_has("vfat") else "ext4"
mounts = pytest.mark.skipif(bool(cannot_mount()), reason=cannot_mount() or "-")


@pytest.fixture
def device(tmp_path):
    """A loop device with a stick's file system."""
    image = tmp_path / "stick.img"
    image.write_bytes(b"")
    os.truncate(image, 16 << 20)
    label = ["-n", "SSC-DROP"] if KIND == "vfat" else ["-q", "-L", "SSC-DROP"]
    subprocess.run([f"mkfs.{KIND}", *label, str(image)], check=True, capture_output=True)
    made = subprocess.run(
        ["losetup", "-f", "--show", str(image)], check=True, capture_output=True, text=True
    )
    yield made.stdout.strip()
    subprocess.run(["losetup", "-d", made.stdout.strip()], check=False)


def helper(device, folder, longest_s=60):
    own = {"SSC_DROP_FOLDER": str(folder), "SSC_DROP_USER": "root"}
    return subprocess.Popen(
        [str(HELPER), device], env=os.environ | own | {"SSC_DROP_LONGEST_S": str(longest_s)}
    )


@mounts
def test_the_helper_mounts_waits_and_unmounts(office, tmp_path, device):
    """The whole way on a real file system: unit, office, unit again, each through the helper."""
    unit = Unit(office, tmp_path)
    sealed = unit.seal(0)
    folder = tmp_path / "mount"
    folder.mkdir()
    stop = threading.Event()
    thread = threading.Thread(target=link_of(unit, folder).run, args=(stop,))
    thread.start()
    try:
        plugged = helper(device, folder)
        options = until_mounted(folder)
        assert {"nosuid", "nodev", "noexec", "sync", "nosymfollow"} <= set(options.split(","))
        assert plugged.wait(SOON_S) == 0
        assert not os.path.ismount(folder)
        at_office = tmp_path / "at-office"
        at_office.mkdir()
        subprocess.run(["mount", device, str(at_office)], check=True)
        try:
            out = at_office / "ssc-drop" / "unit-1" / "out" / "00000001.batch"
            assert out.read_bytes() == sealed
            assert pull(office, at_office) == 0
        finally:
            subprocess.run(["umount", str(at_office)], check=True)
        assert helper(device, folder).wait(SOON_S) == 0
        assert len(unit.receipts()) == 1
    finally:
        stop.set()
        thread.join(SOON_S)
        subprocess.run(["umount", "-q", str(folder)], check=False)


def until_mounted(folder):
    """The options of the mount."""
    ends = time.monotonic() + SOON_S
    while time.monotonic() < ends:
        for line in Path("/proc/self/mounts").read_text().splitlines():
            _, where, _, options, *_ = line.split()
            if where == str(folder):
                return options
        time.sleep(0.02)
    raise AssertionError("not mounted")


@mounts
def test_the_helper_gives_up_when_nobody_serves(tmp_path, device):
    folder = tmp_path / "mount"
    assert helper(device, folder, longest_s=1).wait(SOON_S) == 1
    assert not os.path.ismount(folder)


@mounts
def test_the_helper_mounts_no_other_file_system(tmp_path):
    image = tmp_path / "odd.img"
    image.write_bytes(bytes(1 << 20))
    assert helper(str(image), tmp_path / "mount").wait(SOON_S) != 0
    assert not os.path.ismount(tmp_path / "mount")
