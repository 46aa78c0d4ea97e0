"""A real PostgreSQL of our own: made in a temporary folder, killed or stopped by its own pid.

fsync stays on.  Debian keeps the programs outside PATH, and the server refuses to run as root, so
as root it runs as the user `postgres`.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import psycopg

from tests.ports import free_port

USER = "postgres"
_PROGRAMS = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
_START_S = 60.0
_END_S = 30.0


def missing() -> str | None:
    """What keeps the rig from running here, and what to do; None when nothing does."""
    if not _PROGRAMS:
        return "postgresql is not installed: run tools/install_test_packages.sh"
    if os.geteuid() == 0:
        try:
            pwd.getpwnam(USER)
        except KeyError:
            return f"there is no user {USER}: run tools/install_test_packages.sh"
        if shutil.which("setpriv") is None:
            return "setpriv is not installed (util-linux)"
    return None


@functools.cache
def shared() -> Postgres:
    """The one server of this Python process; ends with it."""
    server = Postgres()
    atexit.register(server.remove)
    return server


class Postgres:
    """Started when made.  settings: lines of postgresql.conf.  parent: a folder on another disk."""

    def __init__(self, settings: dict[str, str] | None = None, parent: Path | None = None) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="ssc-pg-", dir=parent)).resolve()
        self.port = free_port()
        self._settings = {"fsync": "on", "synchronous_commit": "on"} | (settings or {})
        self._process: subprocess.Popen[bytes] | None = None
        try:
            if os.geteuid() == 0:
                user = pwd.getpwnam(USER)
                os.chown(self.folder, user.pw_uid, user.pw_gid)
            made = self._run("initdb", "-D", self._data, "-U", USER, "-A", "trust", "--no-sync")
            if made.returncode:
                raise RuntimeError(f"initdb: {made.stderr!r}")
            self.start()
        except BaseException:
            self.remove()
            raise

    @property
    def _data(self) -> str:
        return str(self.folder / "data")

    @property
    def pid(self) -> int:
        """Of the server's first process."""
        if self._process is None:
            raise RuntimeError("the server does not run")
        return self._process.pid

    def start(self) -> None:
        """Waits until it answers, recovery included; raises RuntimeError with its own words."""
        lines = self._settings | {"listen_addresses": "127.0.0.1", "port": str(self.port)}
        lines |= {"unix_socket_directories": str(self.folder)}
        options = [each for name, value in lines.items() for each in ("-c", f"{name}={value}")]
        with open(self.folder / "log", "ab") as log:
            self._process = subprocess.Popen(
                [*_as_user(), str(_PROGRAMS[-1] / "postgres"), "-D", self._data, *options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
            )
        ends = time.monotonic() + _START_S
        while time.monotonic() < ends and self._process.poll() is None:
            with contextlib.suppress(psycopg.OperationalError):
                psycopg.connect(self.url("postgres"), connect_timeout=2).close()
                return
            time.sleep(0.05)
        raise RuntimeError(f"postgres did not come up: {self.log()[-2000:]}")

    def url(self, database: str, over_tcp: bool = False) -> str:
        host = "127.0.0.1" if over_tcp else str(self.folder).replace("/", "%2F")
        return f"postgresql://{USER}@{host}:{self.port}/{database}"

    def new_database(self) -> str:
        """The URL of a fresh one."""
        name = f"ssc_{secrets.token_hex(6)}"
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        return self.url(name)

    def log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")

    def cpu_s(self) -> float:
        """Seconds of processor time of all its processes so far, those that have ended too."""
        return _cpu_s(self.pid, 4) + sum(_cpu_s(pid, 2) for pid in _children(self.pid))

    def kill(self) -> None:
        """kill -9 of every process of the server at once, as a power cut would."""
        family = [self.pid, *_children(self.pid)]
        for pid in family:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        assert self._process is not None
        self._process.wait(_END_S)
        ends = time.monotonic() + _END_S
        while any(_is_alive(pid) for pid in family) and time.monotonic() < ends:
            time.sleep(0.01)

    def stop(self) -> None:
        """The fast stop: open transactions are rolled back."""
        if self._process is None or self._process.poll() is not None:
            return
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(_END_S)
        except subprocess.TimeoutExpired:
            self.kill()

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _run(self, program: str, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        command = [*_as_user(), str(_PROGRAMS[-1] / program), *arguments]
        return subprocess.run(
            command, capture_output=True, check=False, timeout=_START_S, cwd=self.folder
        )


def _as_user() -> list[str]:
    """exec, no fork: the pid stays the server's own.  The server ends with its parent."""
    if os.geteuid() != 0:
        return ["setpriv", "--pdeathsig", "QUIT"] if shutil.which("setpriv") else []
    return ["setpriv", "--reuid", USER, "--regid", USER, "--init-groups", "--pdeathsig", "QUIT"]


def _children(pid: int) -> list[int]:
    listed = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(each) for each in listed.split()]


def _cpu_s(pid: int, count: int) -> float:
    """Of utime, stime, cutime, cstime (proc(5)) the first two or all four."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(map(int, fields[11 : 11 + count])) / os.sysconf("SC_CLK_TCK")


def _is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (OSError, IndexError):
        return False
