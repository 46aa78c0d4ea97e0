"""The programs that do the work, each run with a deadline and told when it is missing."""

from __future__ import annotations

import os
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
    "setpriv": "util-linux",
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


def environment() -> dict[str, str]:
    """Of what is run: it speaks English, whatever the technician reads, for its words are read."""
    return os.environ | {"LC_ALL": "C.UTF-8", "LANGUAGE": "C"}


def run(
    name: str, *arguments: str, sent: bytes = b"", deadline_s: float = DEADLINE_S
) -> subprocess.CompletedProcess[bytes]:
    """One run, whatever its exit status; raises FlashError 1001, 1203 (deadline)."""
    command: Sequence[str] = [path_of(name), *arguments]
    try:
        return subprocess.run(
            command, input=sent, capture_output=True, timeout=deadline_s, env=environment()
        )
    except subprocess.TimeoutExpired:
        raise FlashError(1203, f"{name} did not end in {deadline_s:.0f} s") from None


def said(done: subprocess.CompletedProcess[bytes]) -> str:
    """The last words of a run, on one line, for a detail."""
    return " ".join((done.stderr or done.stdout).decode(errors="replace").split())[-200:]
