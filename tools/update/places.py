"""Where the unit keeps what its updates and the technician's way in need.

In tests the variable SSCTERM_PLACES names a JSON file with some of these.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from tools.image.layout import Layout

VARIABLE = "SSCTERM_PLACES"


_BOOTCFG, _BOOT_A, _BOOT_B = (
    Path("/dev/disk/by-partuuid", Layout().partuuid(name))
    for name in ("bootcfg", "boot_a", "boot_b")
)


@dataclass(frozen=True)
class Places:
    """bootcfg: the partition with autoboot.txt.  state, incoming: on the data partition, root's
    alone; incoming: bundles on their way in.  installed: what a technician gave the idle slot, as
    JSON.  machine: the names of the board, each with a NUL behind it."""

    bootcfg: Path = _BOOTCFG
    boot_a: Path = _BOOT_A
    boot_b: Path = _BOOT_B
    state: Path = Path("/data/update")
    incoming: Path = Path("/data/update/incoming")
    installed: Path = Path("/data/update/installed.json")
    floor: Path = Path("/data/version-floor")
    release: Path = Path("/usr/lib/sscterm/release.json")
    booted_from: Path = Path("/proc/device-tree/chosen/bootloader/partition")
    machine: Path = Path("/proc/device-tree/compatible")
    cmdline: Path = Path("/proc/cmdline")
    boot_id: Path = Path("/proc/sys/kernel/random/boot_id")
    rauc_conf: Path = Path("/etc/rauc/system.conf")
    socket: Path = Path("/data/sscterm/unit.sock")
    data_dir: Path = Path("/data/sscterm")
    etc: Path = Path("/data/etc")
    board: Path = Path("/etc/sscterm/board.toml")


def from_environment() -> Places:
    """Raises OSError, ValueError, TypeError for a file that is not such a JSON."""
    named = os.environ.get(VARIABLE)
    if named is None:
        return Places()
    changed = json.loads(Path(named).read_text())
    return Places(**{name: Path(path) for name, path in changed.items()})
