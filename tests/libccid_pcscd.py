"""A real pcscd whose driver is Debian's libccid, before emulated CCID readers.

In a mount namespace of its own, as tests/pcscd_rig.py: /run/pcscd is ours there, and libccid's
Info.plist a copy in which the option of the test stands.  libpcsclite reads the path of the socket
once a process, so what speaks to this pcscd is another process, with `environment()`.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from tests.waiting import SOON_S

DRIVER = Path("/usr/lib/pcsc/drivers/serial/libccidtwin.so")
_PLIST = Path("/usr/lib/pcsc/drivers/ifd-ccid.bundle/Contents/Info.plist")
_OPTIONS = "<key>ifdDriverOptions</key>\n\t<string>0x{:04X}</string>"
ESCAPE_ALLOWED = 0x01  # of the options: DRIVER_OPTION_CCID_EXCHANGE_AUTHORIZED
_READY_S = SOON_S
_END_S = 10.0
_START = """
mount --bind "$0/run" /run/pcscd
mount --bind "$0/Info.plist" "$1"
exec pcscd --foreground --config "$0/readers.conf"
"""


@dataclass(frozen=True)
class Entry:
    """One reader of pcscd's configuration.  model: as libccid names it."""

    name: str
    device: Path
    model: str


class LibccidPcscd:
    """Started when made, ended by stop() or a `with`; pcscd ends with the thread that made it."""

    def __init__(self, folder: Path, entries: list[Entry], options: int = 0):
        assert DRIVER.exists(), "libccid is not installed: run tools/install_test_packages.sh"
        self.folder = folder
        (folder / "run").mkdir()
        Path("/run/pcscd").mkdir(exist_ok=True)  # the place to mount over
        before, after = _OPTIONS.format(0), _OPTIONS.format(options)
        plist = _PLIST.read_text()
        assert plist.count(before) == 1, "libccid's Info.plist has another form"
        (folder / "Info.plist").write_text(plist.replace(before, after))
        (folder / "readers.conf").write_text(
            "".join(
                f'FRIENDLYNAME "{each.name}"\nDEVICENAME {each.device}:{each.model}\n'
                f"LIBPATH {DRIVER}\nCHANNELID {number}\n\n"
                for number, each in enumerate(entries, 1)
            )
        )
        private = ("setpriv", "--pdeathsig", "TERM", "unshare", "-m", "--propagation", "private")
        path = os.environ.get("PATH", "/usr/bin:/bin") + ":/usr/sbin:/sbin"
        with open(folder / "log", "wb") as log:
            self._process = subprocess.Popen(
                [*private, "sh", "-ec", _START, str(folder), str(_PLIST)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={"PATH": path},
            )

    def __enter__(self) -> LibccidPcscd:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def socket_path(self) -> Path:
        return self.folder / "run" / "pcscd.comm"

    def environment(self) -> dict[str, str]:
        """This process' own, for one that is to speak to this pcscd."""
        return {**os.environ, "PCSCLITE_CSOCK_NAME": str(self.socket_path)}

    def wait(self) -> None:
        """Until it listens, which it does once each reader of its configuration is open."""
        ends = time.monotonic() + _READY_S
        while not self.socket_path.exists():
            if self._process.poll() is not None or time.monotonic() > ends:
                raise RuntimeError(f"pcscd did not come up: {self.log()}")
            time.sleep(0.02)

    def log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")

    def stop(self) -> None:
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(_END_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(_END_S)
