"""`python -m tools.door.prepare`: once at each start of the unit, before anybody may come in.

The host key is made when there is none; what an earlier start left of a bundle is removed; and a
file door-line.TTY beside board.toml opens that serial line to technicians.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from tools.door import incoming
from tools.door.places import DoorPlaces, from_environment

HOST_KEY = "ssh_host_ed25519_key"
LINE = "door-line."
_TTY = re.compile(r"tty[A-Z]{1,8}[0-9]{1,3}")


def host_key(door: DoorPlaces) -> Path:
    """Made beside its place and renamed: a power cut leaves none or a whole one.

    Raises OSError, subprocess.SubprocessError.
    """
    path = door.etc / HOST_KEY
    if path.exists() and path.stat().st_size:
        return path
    door.etc.mkdir(mode=0o750, parents=True, exist_ok=True)
    made = path.with_name(f".{HOST_KEY}.new")
    for each in (made, made.with_name(f"{made.name}.pub")):
        each.unlink(missing_ok=True)
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "sscterm", "-f", str(made)]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    for each, place in ((made.with_name(f"{made.name}.pub"), f"{path}.pub"), (made, str(path))):
        _sync(each)
        each.replace(place)
    _sync(door.etc)
    return path


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def lines(door: DoorPlaces) -> list[str]:
    """Names of the serial lines, as "ttyAMA0", that stand in files' names and not in board.toml."""
    board = door.etc / "board.toml"
    taken = board.read_text(errors="replace") if board.exists() else ""
    found = sorted(each.name.removeprefix(LINE) for each in door.etc.glob(f"{LINE}*"))
    return [
        name
        for name in found
        if _TTY.fullmatch(name) and not re.search(rf"/dev/{name}(?![0-9])", _uncommented(taken))
    ]


def _uncommented(text: str) -> str:
    return "\n".join(each for each in text.splitlines() if not each.lstrip().startswith("#"))


def main() -> int:
    door = from_environment()
    try:
        incoming.sweep(door)
        host_key(door)
        for name in lines(door):
            start = ["systemctl", "start", "--no-block", f"sscterm-door-line@{name}.service"]
            subprocess.run(start, check=True, timeout=60)
    except (OSError, subprocess.SubprocessError) as error:
        print(f"door: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
