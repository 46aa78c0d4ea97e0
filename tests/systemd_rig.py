"""A real systemd of our own: a user manager in a mount namespace, for tests of supervision.

A user manager wants /run/systemd/system, the mark of a machine booted by systemd; here it stands on
a tmpfs that only this manager sees.  Each has a control group of its own: two managers in one group
put units of one name into one group below it, and stopping the one kills the other's.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import time
from pathlib import Path

from tests.waiting import SOON_S

SYSTEMD = Path("/lib/systemd/systemd")
GROUPS = Path("/sys/fs/cgroup")
_SOON_S = SOON_S
_START = """
for each in $OWN_GROUPS; do echo $$ >$each/cgroup.procs; done
mkdir -p /run/systemd
mount -t tmpfs systemd /run/systemd
mkdir /run/systemd/system
exec /lib/systemd/systemd --user --unit=nothing.target
"""


def missing() -> str | None:
    """What keeps a systemd from running here, and what to do; None when nothing does."""
    if os.geteuid() != 0:
        return "a private systemd needs root (a mount namespace)"
    if not SYSTEMD.exists() or shutil.which("systemctl") is None:
        return "systemd is not installed: run tools/install_test_packages.sh"
    if not any(os.access(each, os.W_OK) for each in _hierarchies()):
        return "no control groups to write here"
    probe = subprocess.run(
        ["unshare", "-m", "true"], capture_output=True, timeout=SOON_S, check=False
    )
    return "unshare -m is refused here" if probe.returncode else None


def complaints(unit: Path) -> list[str]:
    """What systemd says of the words of that unit file."""
    told = subprocess.run(
        ["systemd-analyze", "--man=no", "verify", str(unit)],
        capture_output=True, text=True, timeout=SOON_S, check=False,
    )  # fmt: skip
    return [line for line in told.stderr.splitlines() if unit.name in line]


class SystemdRig:
    """Started when made, with no unit but those of `write`."""

    def __init__(self, folder: Path):
        self._units = folder / "config" / "systemd" / "user"
        self._units.mkdir(parents=True)
        run = folder / "run"
        run.mkdir(mode=0o700)
        self._environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "XDG_RUNTIME_DIR": str(run),
            "XDG_CONFIG_HOME": str(folder / "config"),
        }
        self._group = f"sscterm-test-{secrets.token_hex(4)}"
        own = [each / self._group for each in _hierarchies()]
        for each in own:
            each.mkdir()
        self._environment["OWN_GROUPS"] = " ".join(map(str, own))
        self.write("nothing.target", "[Unit]\nDescription=nothing\n")
        private = ("setpriv", "--pdeathsig", "TERM", "unshare", "-m", "--propagation", "private")
        self._log = open(folder / "systemd.log", "wb")  # noqa: SIM115 - closed by stop()
        self._process = subprocess.Popen(
            [*private, "sh", "-ec", _START],
            env=self._environment, stdout=self._log, stderr=self._log,
        )  # fmt: skip
        ends = time.monotonic() + _SOON_S
        while self.control("is-system-running").returncode not in (0, 1, 3):
            assert time.monotonic() < ends, "systemd did not come up"
            assert self._process.poll() is None, (folder / "systemd.log").read_text()
            time.sleep(0.05)
        while not (run / "systemd" / "private").exists():
            assert time.monotonic() < ends, "systemd did not come up"
            time.sleep(0.05)

    def write(self, name: str, text: str) -> None:
        (self._units / name).write_text(text)

    def control(self, *argv: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["systemctl", "--user", *argv],
            env=self._environment, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip

    def show(self, unit: str, what: str) -> str:
        """One property of a unit."""
        return self.control("show", unit, "--value", "--property", what).stdout.strip()

    def stop(self) -> None:
        """All its services end with it."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.control("stop", "*.service")
        self._process.send_signal(signal.SIGRTMIN + 24)  # exit without a bus (systemd(1))
        try:
            self._process.wait(_SOON_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()
        for left in (*GROUPS.glob(self._group), *GROUPS.glob(f"*/{self._group}")):
            for each in sorted(left.rglob("*/"), reverse=True):
                _remove(each)
            _remove(left)


def _hierarchies() -> list[Path]:
    """Those that systemd keeps its units in: the only one, or the named one and version 2."""
    found = [GROUPS, GROUPS / "systemd", GROUPS / "unified"]
    return [each for each in found if (each / "cgroup.procs").exists()]


def _remove(group: Path) -> None:
    with contextlib.suppress(OSError):  # one in use stays
        group.rmdir()
