"""A unit's door on loopback: the project's sshd_config under a real sshd, the real tools.door."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.ports import free_port
from tests.waiting import SOON_S, until
from tools.technician.command import main
from tools.update.places import VARIABLE

ROOT = Path(__file__).resolve().parents[1]
CONFIG = ROOT / "tools" / "door" / "sshd_config"
SSHD = "/usr/sbin/sshd"
PROGRAMS = ("ssh", "ssh-keygen", "socat")


def missing() -> str | None:
    if os.geteuid() != 0:
        return "a unit's sshd logs root in: needs root"
    for program in (SSHD, *PROGRAMS):
        if shutil.which(program) is None:
            return f"{program} is not installed: run tools/install_test_packages.sh"
    return None


def key(folder: Path, name: str) -> Path:
    path = folder / name
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", path]
    subprocess.run(command, check=True, timeout=60)
    return path


@dataclass
class Door:
    """etc: what stands for /data/etc.  places: of tools.update.places.
    environment: of tools.door, for sshd hands on none."""

    folder: Path
    places: dict[str, Path] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    addendum: str = ""  # of sshd's ident line

    def __post_init__(self) -> None:
        self.etc = self.folder / "etc"
        self.etc.mkdir()
        self.key = key(self.folder, "technician")
        self.stranger = key(self.folder, "stranger")
        host = key(self.etc, "ssh_host_ed25519_key")
        assert host.exists()
        self.places |= {"etc": self.etc, "incoming": self.folder / "incoming",
                        "installed": self.folder / "installed.json",
                        "boot_id": self.folder / "boot_id"}  # fmt: skip
        self.places["boot_id"].write_text("first\n")
        self.programs = self.folder / "bin"  # found before the system's
        self.programs.mkdir()
        self.admit("technician.pub")

    def admit(self, *names: str) -> None:
        words = [(self.folder / name).read_text() for name in names]
        (self.etc / "technicians").write_text("".join(f"restrict {each}" for each in words))

    def sshd(self) -> list[str]:
        """Of the unit's configuration only places are others: the first of two values holds."""
        places = self.folder / "door.json"
        places.write_text(json.dumps({k: str(v) for k, v in self.places.items()}))
        variables = {
            **self.environment,
            VARIABLE: str(places),
            "PYTHONPATH": str(ROOT),
            "PATH": f"{self.programs}:{os.environ['PATH']}:/usr/sbin:/sbin",
        }
        set_to = " ".join(f"{name}={value}" for name, value in variables.items())
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        return [
            *(SSHD, "-f", str(CONFIG), "-o", f"HostKey={self.etc}/ssh_host_ed25519_key"),
            *("-o", f"AuthorizedKeysFile={self.etc}/technicians"),
            *("-o", f"ForceCommand=env {set_to} {sys.executable} -P -m tools.door"),
            *("-o", "StrictModes=no", "-o", "PidFile=none"),  # a test's folder is in /tmp
            *(("-o", f"VersionAddendum={self.addendum}") if self.addendum else ()),
        ]

    @contextlib.contextmanager
    def lan(self) -> Iterator[str]:
        """ "127.0.0.1:PORT" of an sshd that listens."""
        port = free_port()
        command = [*self.sshd(), "-D", "-e", "-p", str(port), "-o", "ListenAddress=127.0.0.1"]
        with (self.folder / "sshd.log").open("wb") as log:
            process = subprocess.Popen(command, stderr=log)
            try:
                until(lambda: _listens(port), (self.folder / "sshd.log").read_text)
                yield f"127.0.0.1:{port}"
            finally:
                process.terminate()
                process.wait(SOON_S)

    @contextlib.contextmanager
    def serial(self) -> Iterator[tuple[str, Path]]:
        """("serial:DEVICE", DEVICE) of a line with the unit's tools.door.line at its other end."""
        ends = [self.folder / "unit.tty", self.folder / "desk.tty"]
        between = ["socat", *(f"pty,rawer,link={end}" for end in ends)]
        serves = [sys.executable, "-c", _SERVES, str(ends[0]), *self.sshd(), "-i", "-e"]
        with subprocess.Popen(between) as wire:
            try:
                until(lambda: all(end.exists() for end in ends))
                unit = subprocess.Popen(serves, cwd=ROOT)
                try:
                    yield f"serial:{ends[1]}", ends[1]
                finally:
                    unit.terminate()
                    unit.wait(SOON_S)
            finally:
                wire.terminate()

    def flash(self, *words: object, key: Path | None = None) -> int:
        """One run of flash.py at the technician's desk; its exit status."""
        act, *rest = (str(each) for each in words)
        options = ["--state", str(self.folder / "desk"), "--key", str(key or self.key)]
        return main([act, *options, *rest])

    def client(self, target: str, act: str) -> list[str]:
        """A bare ssh that asks for an act."""
        host, _, port = target.partition(":")
        return [
            *("ssh", "-F", "none", "-T", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no"),
            *("-o", f"UserKnownHostsFile={self.folder}/hosts", "-o", "LogLevel=ERROR"),
            *("-o", "IdentitiesOnly=yes", "-i", str(self.key), "-p", port, f"root@{host}", act),
        ]

    def ssh(
        self, target: str, *words: str, key: Path | None = None
    ) -> subprocess.CompletedProcess[bytes]:
        """A client that asks for what it likes."""
        host, _, port = target.partition(":")
        command = [
            *("ssh", "-F", "none", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no"),
            *("-o", f"UserKnownHostsFile={self.folder}/hosts", "-o", "LogLevel=ERROR"),
            *("-o", "IdentitiesOnly=yes", "-i", str(key or self.key), "-p", port),
        ]
        return subprocess.run(
            [*command, *words[:-1], f"root@{host}", words[-1]],
            stdin=subprocess.DEVNULL, capture_output=True, timeout=SOON_S, check=False,
        )  # fmt: skip


_SERVES = "import sys; from tools.door import line;" + (
    " line.serve(line.open_line(sys.argv[1], 115200), tuple(sys.argv[2:]))"
)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0
