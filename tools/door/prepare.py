"""`python -m tools.door.prepare`: once at each start of the unit, before anybody may come in.

What an earlier start left of a bundle is removed; a file door-line.TTY beside board.toml opens that
serial line to technicians.
"""

from __future__ import annotations

import re
import subprocess
import sys

from tools.door import incoming
from tools.update.places import Places, from_environment

LINE = "door-line."
_TTY = re.compile(r"tty[A-Z]{1,8}[0-9]{1,3}")


def lines(places: Places) -> list[str]:
    """Names of the serial lines, as "ttyAMA0", that stand in files' names and not in board.toml."""
    board = places.etc / "board.toml"
    taken = board.read_text(errors="replace") if board.exists() else ""
    found = sorted(each.name.removeprefix(LINE) for each in places.etc.glob(f"{LINE}*"))
    return [
        name
        for name in found
        if _TTY.fullmatch(name) and not re.search(rf"/dev/{name}(?![0-9])", _uncommented(taken))
    ]


def _uncommented(text: str) -> str:
    return "\n".join(each for each in text.splitlines() if not each.lstrip().startswith("#"))


def main() -> int:
    places = from_environment()
    try:
        incoming.sweep(places)
        for name in lines(places):
            start = ["systemctl", "start", "--no-block", f"sscterm-door-line@{name}.service"]
            subprocess.run(start, check=True, timeout=60)
    except (OSError, subprocess.SubprocessError) as error:
        print(f"door: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
