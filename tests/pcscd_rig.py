"""A real pcscd of our own, with two virtual readers, for tests marked `pcscd`.

pcscd has no option for the path of its socket, so it runs in a mount namespace in which /run/pcscd
is ours.  Its two readers are vsmartcard-vpcd's, which listens on TCP: simulator/vpcd.py plugs cards
in.  libpcsclite reads PCSCLITE_CSOCK_NAME once a process, at its first call, so this module sets it
when it is imported (conftest.py does it): take `shared()`, one pcscd for all tests of a process.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes.util
import functools
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from tests.waiting import SOON_S

FOLDER = Path(tempfile.gettempdir()) / f"ssc-pcscd-{os.getpid()}"
SOCKET = FOLDER / "run" / "pcscd.comm"
os.environ["PCSCLITE_CSOCK_NAME"] = str(SOCKET)

USER_READER = "SSC Terminal User"
PSAM_READER = "SSC Terminal PSAM"
DRIVER = Path("/usr/lib/pcsc/drivers/serial/libifdvpcd.so")

_START_S = SOON_S
_END_S = 10.0
_TRIES = 5
# Below the ports that the kernel hands out by itself.
_PORTS = range(20000, 32000)
# vpcd gives each reader two slots, on its port and the next.
_APART = 2

# setpriv: should the tests be killed, pcscd ends too.
_PRIVATE = ("setpriv", "--pdeathsig", "TERM", "unshare", "-m", "--propagation", "private")
_START = """
mount --bind "$0/run" /run/pcscd
exec pcscd --foreground --config "$0/readers.conf"
"""


def missing() -> str | None:
    """What keeps the rig from running here, and what to do; None when nothing does."""
    if os.geteuid() != 0:
        return "a private pcscd needs root (a mount namespace)"
    for program in ("pcscd", "unshare", "setpriv"):
        if shutil.which(program, path=_path()) is None:
            return f"{program} is not installed: run tools/install_test_packages.sh"
    if not DRIVER.exists():
        return "vsmartcard-vpcd is not installed: run tools/install_test_packages.sh"
    if ctypes.util.find_library("pcsclite") is None:
        return "libpcsclite1 is not installed: run tools/install_test_packages.sh"
    probe = subprocess.run(
        ["unshare", "-m", "true"], capture_output=True, timeout=SOON_S, check=False
    )
    if probe.returncode:
        return "unshare -m is refused here: a container without CAP_SYS_ADMIN?"
    return None


@functools.cache
def shared() -> PcscdRig:
    """The one rig of this Python process; ends with it."""
    rig = PcscdRig()
    atexit.register(rig.stop)
    return rig


class PcscdRig:
    """Started when made.  user_port, psam_port: where vpcd waits for the cards.

    socket_path: for PCSCLITE_CSOCK_NAME.  Raises RuntimeError with pcscd's own words.
    """

    def __init__(self) -> None:
        self.folder, self.socket_path = FOLDER, SOCKET
        shutil.rmtree(FOLDER, ignore_errors=True)  # of a process that was killed
        (FOLDER / "run").mkdir(parents=True)
        Path("/run/pcscd").mkdir(exist_ok=True)  # the place to mount over
        self.user_name: str | None = USER_READER  # None: that reader is not plugged in
        try:
            for _ in range(_TRIES):
                self.user_port, self.psam_port = _free_ports()
                self._process = self._start()
                if self._is_ready():
                    return
                self._end()
            raise RuntimeError(f"pcscd did not come up: {self.log()}")
        except BaseException:
            self.stop()
            raise

    def log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")

    def kill(self) -> None:
        """As its own crash would: nothing is said to anybody."""
        self._process.kill()
        self._process.wait(_END_S)

    def start_again(self, user_name: str | None = USER_READER) -> None:
        """After an end or kill(); user_name: of the first reader, None leaves it out."""
        self._end()
        self.user_name = user_name
        self._process = self._start()
        assert self._is_ready(), self.log()

    def stop(self) -> None:
        """Ends pcscd and removes its folder."""
        self._end()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _readers(self) -> list[tuple[str, int]]:
        psam = (PSAM_READER, self.psam_port)
        return [psam] if self.user_name is None else [(self.user_name, self.user_port), psam]

    def _start(self) -> subprocess.Popen[bytes]:
        entries = []
        for name, port in self._readers():
            # A copy of the driver for each: one loaded copy keeps one table for all its readers.
            driver = self.folder / f"libifdvpcd-{port}.so"
            shutil.copyfile(DRIVER.resolve(), driver)
            entries.append(
                f'FRIENDLYNAME "{name}"\nDEVICENAME /dev/null:{port:#x}\n'
                f"LIBPATH {driver}\nCHANNELID {port:#x}\n"
            )
        (self.folder / "readers.conf").write_text("\n".join(entries))
        with open(self.folder / "log", "ab") as log:
            return subprocess.Popen(
                [*_PRIVATE, "sh", "-ec", _START, str(self.folder)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={"PATH": _path()},
            )

    def _is_ready(self) -> bool:
        ends = time.monotonic() + _START_S
        wanted = {port for _, port in self._readers()}
        while time.monotonic() < ends and self._process.poll() is None:
            if self.socket_path.exists() and wanted <= _listening(self._process.pid):
                return True
            time.sleep(0.02)
        return False

    def _end(self) -> None:
        process = getattr(self, "_process", None)
        if process is None or process.poll() is not None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(_END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(_END_S)


def _path() -> str:
    return os.environ.get("PATH", "/usr/bin:/bin") + ":/usr/sbin:/sbin"


def _free_ports() -> tuple[int, int]:
    for _ in range(200):
        base = random.randrange(_PORTS.start, _PORTS.stop - 2 * _APART)
        if all(_is_free(base + each) for each in range(2 * _APART)):
            return base, base + _APART
    raise RuntimeError("no four free ports in a row")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("0.0.0.0", port))
        except OSError:
            return False
        return True


def _listening(pid: int) -> set[int]:
    """The TCP ports on which that process listens (connecting to try would plug in a card)."""
    sockets = set()
    with contextlib.suppress(OSError):  # a descriptor closed meanwhile, or the process ended
        for each in Path(f"/proc/{pid}/fd").iterdir():
            sockets.add(os.readlink(each))
    ports = set()
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        local, state, inode = (line.split()[at] for at in (1, 3, 9))
        if state == "0A" and f"socket:[{inode}]" in sockets:
            ports.add(int(local.rpartition(":")[2], 16))
    return ports
