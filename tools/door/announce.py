"""`python -m tools.door.announce`: what the unit says of itself before anybody touches it.

Runs as root at each start, and again when the identity changed.  Two files, from board.toml and
release.json: what sshd adds to its first line (RFC 4253, 4.2), and the DNS-SD service that
systemd-resolved answers for (systemd.dnssd).  Nothing secret, nothing a visitor could not be told.
"""

from __future__ import annotations

import re
import subprocess
import tomllib
from dataclasses import dataclass
from pathlib import Path

from firmware.board import BoardError, load
from tools.update import version

SERVICE = "_sscterm._tcp"
PORT = 22
WAITING, REFUSED, PROVISIONED = "waiting", "refused", "provisioned"
STATES = (WAITING, REFUSED, PROVISIONED)
"""No identity yet; board.toml is not one the firmware takes; an identity is there."""

UNIT = re.compile(r"[A-Za-z0-9-]{1,32}")
_MOST = 1 << 20  # bytes of board.toml
_DEADLINE_S = 30.0


@dataclass(frozen=True)
class Places:
    board: Path = Path("/data/etc/board.toml")
    release: Path = Path("/usr/lib/sscterm/release.json")
    serial: Path = Path("/proc/device-tree/serial-number")
    dnssd: Path = Path("/run/systemd/dnssd/sscterm.dnssd")
    addendum: Path = Path("/run/sscterm/sshd.conf")


@dataclass(frozen=True)
class Said:
    """unit: "" where there is none.  state: one of STATES.  serial: of the board, "" if unknown."""

    version: str
    unit: str
    state: str
    serial: str = ""

    @property
    def name(self) -> str:
        """Of the unit, else of its board."""
        return self.unit or self.serial or "new"

    def addendum(self) -> str:
        return f"sscterm/{self.version}/{self.unit}/{self.state}"

    def text(self) -> dict[str, str]:
        """The TXT record's pairs (RFC 6763, 6.3)."""
        return {
            "unit": self.unit,
            "version": self.version,
            "state": self.state,
            "serial": self.serial,
        }


def look(places: Places) -> Said:
    """Never raises: what cannot be read is said to be unknown, "?", or refused."""
    try:
        running = version.told(version.release(places.release)[1])
    except (OSError, ValueError):
        running = "?"
    try:
        serial = places.serial.read_bytes()[:64].decode("ascii", "ignore").strip("\0 \n")
    except OSError:
        serial = ""
    unit, state = _identity(places.board)
    return Said(running, unit, state, serial if serial.isalnum() else "")


def _identity(board: Path) -> tuple[str, str]:
    """(unit, state).  A board.toml that the firmware refuses may still name the unit."""
    if not board.exists():
        return "", WAITING
    try:
        return load(board).unit.id, PROVISIONED
    except (BoardError, OSError, ValueError):
        pass
    try:
        with board.open("rb") as file:
            unit = tomllib.loads(file.read(_MOST).decode())["unit"]["id"]
        return unit if UNIT.fullmatch(unit) else "", REFUSED
    except (OSError, ValueError, KeyError, TypeError):
        return "", REFUSED


def write(said: Said, places: Places) -> None:
    """Both files, each replaced whole.  Raises OSError."""
    _replace(places.addendum, f"VersionAddendum {said.addendum()}\n")
    pairs = " ".join(f"{key}={value}" for key, value in said.text().items())
    text = f"[Service]\nName=sscterm-{said.name}\nType={SERVICE}\nPort={PORT}\nTxtText={pairs}\n"
    _replace(places.dnssd, text)


def _replace(path: Path, text: str) -> None:
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.new")
    new.write_text(text)
    new.chmod(0o644)
    new.replace(path)


def restart_resolved() -> None:
    """It reads its files at its start only: one that runs is started again.

    A systemd too busy to answer has the job in its queue, or its next start has the files: SSH's
    first line says the same, and the unit serves.
    """
    command = ["systemctl", "--no-block", "try-restart", "systemd-resolved.service"]
    try:
        subprocess.run(command, check=False, timeout=_DEADLINE_S)
    except subprocess.TimeoutExpired:
        print(f"announce: systemd did not answer in {_DEADLINE_S:.0f} s", flush=True)


def main() -> None:
    places = Places()
    said = look(places)
    write(said, places)
    print(f"announced: {said.addendum()} {said.serial}".strip(), flush=True)
    restart_resolved()


if __name__ == "__main__":
    main()
