"""Where the unit keeps what the technician's way in needs.

In tests the variable SSCTERM_DOOR_PLACES names a JSON file with some of these.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

VARIABLE = "SSCTERM_DOOR_PLACES"


@dataclass(frozen=True)
class DoorPlaces:
    """incoming: bundles on their way in.  installed: what the idle slot was given, as JSON."""

    etc: Path = Path("/data/etc")
    incoming: Path = Path("/data/update/incoming")
    installed: Path = Path("/data/update/installed.json")
    boot_id: Path = Path("/proc/sys/kernel/random/boot_id")
    rauc_conf: Path = Path("/etc/rauc/system.conf")


def from_environment() -> DoorPlaces:
    """Raises OSError, ValueError, TypeError for a file that is not such a JSON."""
    named = os.environ.get(VARIABLE)
    if named is None:
        return DoorPlaces()
    changed = json.loads(Path(named).read_text())
    return DoorPlaces(**{name: Path(path) for name, path in changed.items()})
