"""Where the unit keeps what its updates need.  Nothing here comes from the data partition.

In tests the variable SSCTERM_UPDATE_PLACES names a JSON file with some of these.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

VARIABLE = "SSCTERM_UPDATE_PLACES"


@dataclass(frozen=True)
class Places:
    """bootcfg: the partition with autoboot.txt.  state: on the data partition, root's alone."""

    bootcfg: Path = Path("/dev/disk/by-partuuid/55c70001-01")
    boot_a: Path = Path("/dev/disk/by-partuuid/55c70001-02")
    boot_b: Path = Path("/dev/disk/by-partuuid/55c70001-03")
    state: Path = Path("/data/update")
    floor: Path = Path("/data/version-floor")
    release: Path = Path("/usr/lib/sscterm/release.json")
    booted_from: Path = Path("/proc/device-tree/chosen/bootloader/partition")
    cmdline: Path = Path("/proc/cmdline")
    socket: Path = Path("/data/sscterm/unit.sock")
    data_dir: Path = Path("/data/sscterm")
    board: Path = Path("/etc/sscterm/board.toml")


def from_environment() -> Places:
    """Raises OSError, ValueError, TypeError for a file that is not such a JSON."""
    named = os.environ.get(VARIABLE)
    if named is None:
        return Places()
    changed = json.loads(Path(named).read_text())
    return Places(**{name: Path(path) for name, path in changed.items()})
