"""The programs that do the work, each run with a deadline and told when it is missing."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence

from tools.technician.errors import FlashError

PACKAGES = {
    "blkdiscard": "util-linux",
    "bmaptool": "bmap-tools",
    "debugfs": "e2fsprogs",
    "lsblk": "util-linux",
    "mcopy": "mtools",
    "mtype": "mtools",
    "openssl": "openssl",
    "rauc": "rauc",
    "sfdisk": "fdisk",
    "ssh": "openssh-client",
    "zstd": "zstd",
}
"""Program -> the Debian package that brings it."""

DEADLINE_S = 60.0


def path_of(name: str) -> str:
    """Where the program is; raises FlashError 1001."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")
    if found is None:
        raise FlashError(1001, f"{name}: apt install {PACKAGES[name]}")
    return found


def run(name: str, *arguments: str, sent: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """One short run, whatever its exit status; raises FlashError 1001, 1203 (deadline)."""
    command: Sequence[str] = [path_of(name), *arguments]
    try:
        return subprocess.run(command, input=sent, capture_output=True, timeout=DEADLINE_S)
    except subprocess.TimeoutExpired:
        raise FlashError(1203, f"{name} did not end in {DEADLINE_S:.0f} s") from None


def said(done: subprocess.CompletedProcess[bytes]) -> str:
    """The last words of a run, on one line, for a detail."""
    return " ".join((done.stderr or done.stdout).decode(errors="replace").split())[-200:]
