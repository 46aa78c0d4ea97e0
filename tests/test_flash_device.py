"""Issue "The technician", item 2: `list` and what may not be written, as lsblk tells it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests import flash_rig
from tools.technician import device
from tools.technician.errors import FlashError

DISK = {
    "name": "sdb", "path": "/dev/sdb", "type": "disk", "size": 31914983424, "rm": True,
    "ro": False, "hotplug": True, "tran": "usb", "model": "STORAGE", "serial": "000000001206",
    "mountpoints": [None], "children": [],
}  # fmt: skip
PART = {"name": "sdb1", "path": "/dev/sdb1", "type": "part", "mountpoints": [None]}


def holding(*places: str, kind: str = "part") -> dict:
    inner = {"name": "x", "path": "/dev/mapper/x", "type": "lvm", "mountpoints": list(places)}
    outer = PART | {"type": kind, "children": [inner]}
    return DISK | {"children": [outer]}


@pytest.mark.parametrize(
    ("disk", "kind", "why_not"),
    [
        (DISK, "", None),
        (DISK | {"children": [PART]}, "", None),
        (DISK | {"mountpoints": ["/media/a"]}, "", 1103),
        (DISK | {"children": [PART | {"mountpoints": ["/media/a", None]}]}, "", 1103),
        (holding("/"), "", 1102),
        (holding("/srv"), "", 1103),
        (DISK | {"children": [PART | {"mountpoints": ["[SWAP]"]}]}, "", 1102),
        (DISK | {"children": [PART | {"mountpoints": ["/boot/efi"]}]}, "", 1102),
        (DISK | {"rm": False, "hotplug": False, "tran": "nvme"}, "", 1104),
        (DISK | {"rm": False, "hotplug": False, "tran": None}, "", 1104),
        (DISK | {"rm": False, "tran": "usb"}, "", None),
        (DISK | {"rm": False, "tran": "mmc"}, "SD", None),
        (DISK | {"rm": False, "tran": "mmc"}, "MMC", 1104),
        (DISK | {"ro": True}, "", 1106),
        (DISK | {"size": 0}, "", 1101),
        (DISK | {"size": None}, "", 1101),
        (DISK | {"size": 4095}, "", 1105),
        (DISK | {"type": "loop", "rm": False, "hotplug": False, "tran": None}, "", None),
    ],
)
def test_each_disk_may_be_written_or_says_why_not(
    disk: dict, kind: str, why_not: int | None
) -> None:
    assert device.judge(disk, kind, needed=4096).why_not == why_not


def test_a_disk_is_named_by_its_serial_and_without_one_by_the_kernels_name() -> None:
    assert device.judge(DISK).name == "000000001206"
    assert device.judge(DISK | {"serial": None}).name == "sdb"


def refused(name: Path | str, needed: int = 0) -> int:
    with pytest.raises(FlashError) as caught:
        device.target(str(name), needed)
    return caught.value.number


def test_the_disk_this_computer_runs_from_is_refused() -> None:
    """Asked of the real machine: whatever holds / here."""
    found = subprocess.run(
        ["findmnt", "-no", "SOURCE", "/"], capture_output=True, text=True, timeout=60
    )
    path = found.stdout.strip().partition("[")[0]
    if not Path(path).is_block_device():
        pytest.skip(f"/ is on {path or 'nothing that has a name'}, no disk")
    holds = [each for each in device.disks() if path.startswith(each.path)]
    assert [each.why_not for each in holds] == [1102]
    assert refused(path) in (1102, 1107)  # the disk itself, or its partition


def test_what_is_no_disk_is_refused(tmp_path: Path) -> None:
    assert refused("/dev/null") == 1107
    assert refused(tmp_path) == 1107
    assert refused("/dev/sdzz9") == 1101
    assert refused(tmp_path / "none" / "file") == 1101


def test_a_file_may_be_written(tmp_path: Path) -> None:
    new = device.target(str(tmp_path / "card.img"))
    assert new.is_file
    assert new.name == "card.img"


loops = pytest.mark.skipif(flash_rig.NO_LOOP is not None, reason=str(flash_rig.NO_LOOP))


@loops
def test_a_real_disk_is_found_and_too_small_a_one_refused(tmp_path: Path) -> None:
    with flash_rig.disk(tmp_path / "disk", 1 << 20) as path:
        assert device.target(str(path), 1 << 20).size == 1 << 20
        assert refused(path, (1 << 20) + 1) == 1105
        assert str(path) in [each.path for each in device.disks() if each.why_not is None]


@loops
def test_a_write_protected_disk_is_refused(tmp_path: Path) -> None:
    (tmp_path / "disk").write_bytes(bytes(1 << 20))
    with flash_rig.disk(tmp_path / "disk", 0, read_only=True) as path:
        assert refused(path) == 1106


@loops
def test_a_mounted_disk_is_refused(tmp_path: Path) -> None:
    with flash_rig.disk(tmp_path / "disk", 4 << 20) as path:
        subprocess.run(["mke2fs", "-q", path], check=True, timeout=60)
        with flash_rig.mounted(str(path), tmp_path / "place"):
            assert refused(path) == 1103
        assert device.target(str(path)).path == str(path)
