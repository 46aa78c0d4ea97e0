"""Two updates on a disk that logs every write, and what starts after a cut anywhere in them.

The disk is a whole card in small: the slots, autoboot.txt and the data partition.  The real rauc
writes it through loop devices; every mount and process is in a child with mounts of its own.
"""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import subprocess
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from tests import update_rig
from tests.powercut import system
from tests.powercut.disk import Entry, LoggedDisk
from tests.update_rig import PARTITIONS, Unit
from tools.update import autoboot, version

SLOT_PARTS = {"A": "0", "B": "1"}


def record(
    folder: Path, image: bytes, act: Callable[[Unit, Callable[..., None]], None], authority: Path
) -> list[Entry]:
    """What `act` writes, given the unit and note(**said).  Raises AssertionError if it fails."""
    served, mounted = folder / "served", folder / "mounted"
    for each in (served, mounted):
        each.mkdir(exist_ok=True)
    result = folder / "log"
    child = os.fork()
    if child == 0:
        status = 1
        try:
            system.end_with_parent()
            system.leave_mounts()
            log = _recorded(folder, image, act, authority)
            result.write_bytes(pickle.dumps(log))
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    _, status = os.waitpid(child, 0)
    assert status == 0, "the recording failed; its words are on stderr"
    log: list[Entry] = pickle.loads(result.read_bytes())
    return log


def _recorded(
    folder: Path, image: bytes, act: Callable[[Unit, Callable[..., None]], None], authority: Path
) -> list[Entry]:
    disk = LoggedDisk(folder / "served", image)
    loops = []
    try:
        devices = {}
        for name, (offset, size) in PARTITIONS.items():
            handle, device = system.attach(disk.disk, folder, offset, size)
            loops.append(handle)
            devices[name] = device
        system.mount(devices["data"], folder / "mounted", "ext4")
        notes = os.open(disk.notes, os.O_WRONLY)

        def note(**said: Any) -> None:
            os.write(notes, json.dumps(said).encode())

        try:
            act(Unit(folder / "unit", devices, folder / "mounted", authority), note)
        finally:
            os.close(notes)
            disk.end_log()
            system.unmount(folder / "mounted")
    finally:
        for handle in loops:
            os.close(handle)
        log, _ = disk.close()
    return log


# -- what a cut left -------------------------------------------------------------------------------


class Left(NamedTuple):
    """slot: what a plain start takes.  version: what its boot partition says it is."""

    slot: str
    version: str
    floor: str | None


class Unbootable(Exception):
    """A plain start finds no slot, or one that is not whole."""


def judge(disk: Path, folder: Path) -> Left:
    """As the firmware and the initrd do it: mtools read the FATs, veritysetup the system."""
    slot = _committed(disk)
    boot, _ = PARTITIONS[f"boot.{SLOT_PARTS[slot]}"]
    told = dict(
        line.split("=", 1) for line in _mtype(disk, boot, "slot.txt").splitlines() if "=" in line
    )
    if not {"version", "root_hash"} <= told.keys():
        raise Unbootable(f"slot {slot}: its slot.txt is {told}")
    if f"rauc.slot={slot} " not in (words := _mtype(disk, boot, "cmdline.txt")):
        raise Unbootable(f"slot {slot}: its cmdline.txt says {words!r}")
    _verify(disk, slot, told["root_hash"], folder)
    return Left(slot, told["version"], _floor(disk, folder))


def _committed(disk: Path) -> str:
    """By a reader of autoboot.txt that shares nothing with the one under test."""
    offset, _ = PARTITIONS["bootcfg"]
    section, found = "all", ""
    for line in _mtype(disk, offset, "autoboot.txt").splitlines():
        if line.startswith("["):
            section = line
        elif line.startswith("boot_partition=") and section in ("all", "[all]"):
            found = line.removeprefix("boot_partition=")
    names = {str(number): slot for slot, number in autoboot.PARTITIONS.items()}
    if found not in names:
        raise Unbootable(f"autoboot.txt says partition {found!r}")
    return names[found]


def _mtype(disk: Path, offset: int, name: str) -> str:
    ended = subprocess.run(
        ["mtype", "-i", f"{disk}@@{offset}", f"::{name}"],
        capture_output=True,
        timeout=60,
        check=False,
    )
    if ended.returncode:
        raise Unbootable(f"{name}: {ended.stderr.decode(errors='replace').strip()}")
    return ended.stdout.decode(errors="replace")


def _verify(disk: Path, slot: str, root_hash: str, folder: Path) -> None:
    """The whole system partition against its tree and the root hash."""
    offset, size = PARTITIONS[f"system.{SLOT_PARTS[slot]}"]
    part = folder / "system.part"
    with disk.open("rb") as file:
        file.seek(offset)
        part.write_bytes(file.read(size))
    status = system.run(
        *("veritysetup", "verify", part, part, root_hash),
        f"--hash-offset={update_rig.EXT4_BYTES}",
    )
    if status:
        raise Unbootable(f"slot {slot}: veritysetup verify ended with {status}")


def _floor(disk: Path, folder: Path) -> str | None:
    """The data partition as it mounts after the cut: its version floor."""
    offset, size = PARTITIONS["data"]
    target = folder / "judged"
    target.mkdir(exist_ok=True)
    system.mount_image(disk, target, folder, offset, size)
    try:
        with contextlib.suppress(FileNotFoundError):
            words = (target / "version-floor").read_text()
            version.parse(words)
            return words
        return None
    finally:
        system.unmount(target)
