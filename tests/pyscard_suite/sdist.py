"""Where pyscard's source distribution is, and what keeps it from being there."""

from __future__ import annotations

import subprocess
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
_FETCH = ROOT / "tools" / "fetch_pyscard.sh"


def folder() -> Path:
    """pyscard-VERSION/, unpacked, or where it would be."""
    place = subprocess.run(
        [_FETCH, "--where"], capture_output=True, text=True, timeout=30, check=True
    ).stdout.strip()
    return Path(place) / Path(place).name.rpartition("-")[0]


def missing() -> str | None:
    """What to do when it is not there; None when it is."""
    if (folder() / "test").is_dir():
        return None
    return "pyscard's source is not in the cache: run tools/install_test_packages.sh"
