"""Would systemd start the units as they stand?  Asked of systemd-analyze; nothing is started.

An ordering cycle above all: systemd breaks one by leaving out some job of it, a socket's at one
start and a service's at another.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable
from pathlib import Path

from tools.image.disk import ImageError

DEADLINE_S = 120
TARGET = "multi-user.target"


def check(root: Path, names: Iterable[str]) -> None:
    """Raises ImageError with what systemd says of these units in the unpacked root of a unit."""
    if told := _verify(names, [f"--root={root}"], {}):
        raise ImageError("systemd-analyze verify: " + "\n".join(told))


def cycles(folder: Path, names: Iterable[str]) -> list[str]:
    """Lines about ordering cycles of the units in `folder` beside this machine's own."""
    told = _verify(names, [], {"SYSTEMD_UNIT_PATH": f"{folder}:"})
    return [line for line in told if "cycle" in line]


def _verify(names: Iterable[str], options: list[str], settings: dict[str, str]) -> list[str]:
    done = subprocess.run(
        ["systemd-analyze", *options, "--man=no", "verify", TARGET, *names],
        env=os.environ | settings,
        capture_output=True, text=True, timeout=DEADLINE_S, check=False,
    )  # fmt: skip
    return done.stderr.splitlines() or (["refused"] if done.returncode else [])
