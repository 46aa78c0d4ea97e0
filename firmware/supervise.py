"""What systemd is told of a process: that it serves, what it shows, that its loop still turns.

The protocol of sd_notify(3): datagrams of `NAME=value` lines to the socket in NOTIFY_SOCKET.  With
WatchdogSec= in its unit, systemd ends and restarts a process whose loop says nothing for so long.
Only the loop's own thread says it: one that is stuck in a driver falls silent.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import time
from collections.abc import Callable, MutableMapping
from typing import Any

log = logging.getLogger(__name__)

_PROMPTLY = 3  # so many signs of life in the time that systemd allows
_PATIENCE_S = 1.0
_QUIET_START_S = 30.0
"""A reset of a card through pcscd takes up to 12 s; with a PSAM beside it, and room."""


class Supervisor:
    """Says nothing where nobody listens.  Never raises.  A full socket loses a line and is not
    waited for, but at a start and an end, which are said once.

    Also a surface of the display: what the screen says, the status says too.
    """

    def __init__(
        self,
        address: str | None = None,
        allowed_s: float | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ):
        """address: of the socket, "@..." for an abstract one.  allowed_s: WatchdogSec."""
        self.allowed_s = allowed_s
        self._monotonic = monotonic
        self._beat_at = 0.0
        self._status = ""
        self._socket: socket.socket | None = None
        if address is not None:
            self._connect(address)

    def ready(self) -> None:
        """The process serves from now on."""
        self._send(b"READY=1", _PATIENCE_S)

    def stopping(self) -> None:
        self._send(b"STOPPING=1", _PATIENCE_S)

    def status(self, text: str) -> None:
        """One line for `systemctl status`; one that is not new is not sent."""
        if text != self._status:
            self._status = text
            self._send(b"STATUS=" + text.replace("\n", " ").encode())

    def beat(self) -> None:
        """The loop turns.  May be called as often as it does: few of them are sent."""
        if self.allowed_s is None or self._monotonic() < self._beat_at:
            return
        self._beat_at = self._monotonic() + self.allowed_s / _PROMPTLY
        self._send(b"WATCHDOG=1")

    def draw(self, shown: Any) -> None:
        """shown: display/screen.py::Shown.  Only its id: its text may name a holder."""
        self.status(shown.id if shown.number is None else f"{shown.number} {shown.id}")

    def warn_if_short(self, exchange_s: float) -> None:
        """A payment must not be cut off because a slow card was waited for."""
        wanted_s = 2 * exchange_s + _QUIET_START_S
        if self.allowed_s is not None and self.allowed_s < wanted_s:
            log.warning(
                "WatchdogSec=%g is short for [timing] exchange_s = %g: write at least %g",
                self.allowed_s,
                exchange_s,
                wanted_s,
            )

    def _connect(self, address: str) -> None:
        if address[0] not in "/@":
            log.warning("NOTIFY_SOCKET is no socket that this process knows: %r", address)
            return
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            self._socket.connect("\0" + address[1:] if address[0] == "@" else address)
        except OSError as error:
            log.warning("the supervisor cannot be told: %s: %s", address, error)
            self._socket.close()
            self._socket = None

    def _send(self, line: bytes, wait_s: float = 0.0) -> None:
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.settimeout(wait_s)
                self._socket.send(line)


def from_environment(environment: MutableMapping[str, str] = os.environ) -> Supervisor:
    """Takes NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID away: a child must not speak for us."""
    address = environment.pop("NOTIFY_SOCKET", "")
    allowed = environment.pop("WATCHDOG_USEC", "")
    pid = environment.pop("WATCHDOG_PID", "")
    is_ours = pid in ("", str(os.getpid()))
    is_number = allowed.isascii() and allowed.isdecimal() and int(allowed) > 0
    return Supervisor(address or None, int(allowed) / 1e6 if is_number and is_ours else None)
