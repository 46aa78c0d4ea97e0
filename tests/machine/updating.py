"""What the update cases do: a stick with a bundle, install, try; and read the card."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.machine import firmware_stage
from tests.machine.releases import EPOCH
from tests.machine.vm import Machine
from tools.image import disk
from tools.image.layout import MIB
from tools.update import autoboot

PORT = "3"
MOUNTED = "/run/stick"
BUNDLE = f"{MOUNTED}/release.raucb"
PLUGGED_S, INSTALL_S, KEPT_S = 600.0, 2400.0, 2400.0
KEEP = ("/usr/lib/sscterm/bin/python", "-m", "tools.update.keep")
TRYBOOT = "0 tryboot"
"""What keep.py says with `reboot`, and a board's firmware hears."""


# -- in the machine --------------------------------------------------------------------------------


def stick(bundle: Path) -> Path:
    """What a USB stick with that bundle holds: FAT, beside it."""
    target = bundle.with_suffix(".stick")
    size = (bundle.stat().st_size // MIB + 16) * MIB
    disk.fat(target, size, "STICK", {"release.raucb": bundle}, EPOCH)
    return target


def plug_in(machine: Machine, content: Path) -> None:
    """Ends when the bundle can be read at BUNDLE."""
    file = {"driver": "file", "filename": str(content)}
    node = {"node-name": "stick", "driver": "raw", "read-only": True, "file": file}
    machine.qmp("blockdev-add", **node)
    machine.qmp(
        "device_add", driver="usb-storage", id="stick", drive="stick", bus="usb.0", port=PORT
    )
    there = "until [ -b /dev/sda ]; do sleep 0.2; done"
    mount = f"mkdir -p {MOUNTED} && mount -o ro /dev/sda {MOUNTED}"
    machine.must("sh", "-c", f"{there}; {mount}", timeout_s=PLUGGED_S)


def pull_out(machine: Machine) -> None:
    machine.must("umount", MOUNTED)
    machine.qmp("device_del", id="stick")
    machine.wait_event("DEVICE_DELETED", device="stick")
    machine.qmp("blockdev-del", **{"node-name": "stick"})


def install(machine: Machine, content: Path) -> tuple[int, str]:
    """By the machine's own rauc: exit status, and what it and its service said."""
    plug_in(machine, content)
    done = machine.run("rauc", "install", BUNDLE, timeout_s=INSTALL_S)
    said = machine.run("journalctl", "-u", "rauc", "-n", "40", "--no-pager").out
    pull_out(machine)
    return done.status, done.out + done.err + said


def begin(machine: Machine, name: str, *command: str) -> None:
    """A program that goes on by itself."""
    folder = ("-p", "WorkingDirectory=/usr/lib/sscterm")
    machine.must("systemd-run", f"--unit={name}", *folder, *command)


def result(machine: Machine) -> dict[str, Any]:
    """How the last update ended, once keep has judged it."""
    file = "/data/update/result.json"
    wait = f"until [ -e {file} ]; do sleep 0.5; done; cat {file}"
    told: dict[str, Any] = json.loads(machine.must("sh", "-c", wait, timeout_s=KEPT_S))
    return told


def trial(machine: Machine) -> dict[str, Any] | None:
    told = machine.run("cat", "/data/update/trial.json")
    return None if told.status else dict(json.loads(told.out))


# -- on the card, while the machine is off ---------------------------------------------------------


@dataclass(frozen=True)
class Card:
    """committed: the slot that a plain start takes.  trial: the slot on trial, None: none is.
    whole: the slots whose system is what the cmdline.txt of their boot partition says."""

    committed: str
    trial: str | None
    whole: frozenset[str]


def read(card: Path, folder: Path) -> Card:
    """card: the disk of a machine that is off.  Raises ImageError: it has no boot partition."""
    first = firmware_stage.partition(card, "bootcfg", folder)
    committed = autoboot.committed(first)
    on_trial = _trial(card, folder)
    judged = {committed, on_trial} - {None}
    whole = frozenset(slot for slot in judged if slot and _is_whole(card, slot, folder))
    first.unlink()
    return Card(committed, on_trial, whole)


def _trial(card: Path, folder: Path) -> str | None:
    """As the next start finds it, once it has replayed the journal of /data."""
    data = firmware_stage.partition(card, "data", folder)
    disk.run("sh", "-c", f"e2fsck -fy {data} || [ $? -eq 1 ]")
    told = disk.run("debugfs", "-R", "cat /update/trial.json", data)
    data.unlink()
    return str(json.loads(told)["slot"]) if told else None


def _is_whole(card: Path, slot: str, folder: Path) -> bool:
    boot = firmware_stage.partition(card, f"boot_{slot.lower()}", folder)
    system = firmware_stage.partition(card, f"system_{slot.lower()}", folder)
    try:
        line = disk.run("mtype", "-i", boot, "::cmdline.txt")
        if f"rauc.slot={slot} " not in line:
            return False
        ((offset, root_hash),) = {
            (offset, root_hash)
            for offset in re.findall(r"ssc.hashoffset=(\d+)", line)
            for root_hash in re.findall(r"ssc.roothash=([0-9a-f]{64})", line)
        }
        disk.run("veritysetup", "verify", system, system, root_hash, f"--hash-offset={offset}")
    except (disk.ImageError, ValueError):
        return False
    finally:
        boot.unlink()
        system.unlink()
    return True
