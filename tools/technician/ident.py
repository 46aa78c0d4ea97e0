"""A terminal's first line, as sshd says it to anybody (RFC 4253, 4.2), read from a socket or a
serial line: `SSH-2.0-OpenSSH_... sscterm/VERSION/UNIT/STATE`.

What stands there is a claim: it helps to find a unit, the unit's host key proves it.
"""

from __future__ import annotations

import fcntl
import os
import re
import select
import socket
import struct
import termios
import time
from collections.abc import Callable
from typing import NamedTuple

from tools.technician.errors import FlashError
from tools.technician.line import knock

MOST = 8192  # bytes before and in the line; a peer that says more is none of ours
HELLO = b"SSH-2.0-sscterm_find\r\n"
_LINE = re.compile(
    rb"SSH-2\.0-[\x20-\x7e]{1,160} sscterm/(\d{1,6}\.\d{1,6}\.\d{1,6}|\?)/([A-Za-z0-9-]{0,32})/"
    rb"(waiting|refused|provisioned)"
)
_BY_APPLICATION = 11  # SSH_MSG_DISCONNECT's reason (RFC 4253, 11.1)


class Ident(NamedTuple):
    version: str
    unit: str
    state: str


def parse(line: bytes) -> Ident | None:
    """line: without its end.  None for an SSH server, or anything else, that is no terminal."""
    found = _LINE.fullmatch(line)
    return Ident(*(each.decode() for each in found.groups())) if found else None


def disconnect() -> bytes:
    """SSH_MSG_DISCONNECT as a packet that is not enciphered yet: the other end leaves at once."""
    payload = struct.pack(">BI", 1, _BY_APPLICATION) + bytes(8)  # no description, no language
    padding = 8 - (5 + len(payload)) % 8
    padding += 8 if padding < 4 else 0
    return struct.pack(">IB", 1 + len(payload) + padding, padding) + payload + bytes(padding)


def first_line(read: Callable[[float], bytes], until: float) -> bytes | None:
    """The first line that begins with SSH-, of at most MOST bytes until then.

    read: some bytes within so many seconds, b"" for none.  until: time.monotonic().
    None when none came, or the other end talks of something else.
    """
    held = b""
    total = 0
    while total < MOST and (left := until - time.monotonic()) > 0:
        piece = read(left)
        if not piece:
            return None
        total += len(piece)
        *lines, held = (held + piece).split(b"\n")
        for line in lines:
            if line.startswith(b"SSH-"):
                return line.rstrip(b"\r")
    return None


def ask_address(host: str, port: int, seconds: float) -> Ident | None:
    """None: what answers there is no terminal.  Raises FlashError 1454."""
    until = time.monotonic() + seconds
    try:
        with socket.create_connection((host, port), seconds) as line:

            def read(left: float) -> bytes:
                line.settimeout(left)
                try:
                    return line.recv(1024)
                except TimeoutError:
                    return b""

            found = first_line(read, until)
    except OSError as error:
        raise FlashError(1454, f"{host}:{port}: {error.strerror or error}") from None
    if found is None:
        raise FlashError(1454, f"{host}:{port}")
    return parse(found)


def ask_line(device: str, baud: int, seconds: float) -> Ident | None:
    """As above, over a serial line; also 1452 (no such line, in use), 1454 (silent).

    The kernel raises DTR and RTS together when a line is opened, and nothing can keep it from that;
    they are left so, and not dropped at the end (HUPCL off).  The line's settings are put back.
    """
    with SerialLine(device, baud) as line:
        found = line.knock(seconds)
        if found:
            line.write(HELLO + disconnect(), seconds)
    if not found:
        raise FlashError(1454, f"{device}, {baud} baud")
    return parse(found)


class SerialLine:
    """8 bits, no parity, no flow control, ours alone.  Use in a `with`."""

    def __init__(self, device: str, baud: int):
        """Raises FlashError 1109, 1452."""
        self.device = device
        speed = getattr(termios, f"B{baud}", None)
        if speed is None:
            raise FlashError(1452, f"{device}: {baud} baud")
        try:
            self._line = os.open(device, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
        except PermissionError:
            raise FlashError(1109, device) from None
        except OSError as error:
            raise FlashError(1452, f"{device}: {error.strerror}") from None
        try:
            fcntl.flock(self._line, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._before = termios.tcgetattr(self._line)
            self._settle(speed)
        except (OSError, termios.error) as error:
            os.close(self._line)
            raise FlashError(1452, f"{device}: {error.args[-1]}") from None

    def _settle(self, speed: int) -> None:
        flags = termios.CS8 | termios.CREAD | termios.CLOCAL
        wanted = [0, 0, flags, 0, speed, speed, self._before[6]]
        termios.tcsetattr(self._line, termios.TCSANOW, wanted)
        termios.tcflush(self._line, termios.TCIFLUSH)

    def __enter__(self) -> SerialLine:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._before[2] &= ~termios.HUPCL
            termios.tcsetattr(self._line, termios.TCSADRAIN, self._before)
        except (OSError, termios.error):
            pass  # it was pulled out meanwhile
        os.close(self._line)

    def knock(self, seconds: float) -> bytes:
        """The first line of whoever answers; b"" when nobody does.  Raises FlashError 1452."""
        try:
            return knock(self._line, seconds).partition(b"\n")[0].rstrip(b"\r")
        except OSError as error:
            raise FlashError(1452, f"{self.device}: {error.strerror or error}") from None

    def write(self, data: bytes, seconds: float) -> None:
        """Raises FlashError 1452."""
        until = time.monotonic() + seconds
        while data:
            left = max(0.0, until - time.monotonic())
            _, ready, _ = select.select([], [self._line], [], left)
            try:
                if not ready:
                    raise FlashError(1452, f"{self.device} takes no bytes")
                data = data[os.write(self._line, data) :]
            except OSError as error:
                raise FlashError(1452, f"{self.device}: {error.strerror}") from None
