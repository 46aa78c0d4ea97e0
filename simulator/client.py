"""The client side of a simulator process: its reader, its PIN pad, and the control socket.

Every connection begins with one line, `reader SLOT`, `pad` or `control`, which the process answers
with `ok` or the reason why not.  After that a control connection carries one JSON object a line;
a device connection carries frames: length (2 bytes, big-endian) of what follows, one byte that says
what it is, body.  See process.py for the other end.
"""

from __future__ import annotations

import json
import socket
import struct
import time
from collections.abc import Callable
from typing import Any

from firmware.outcome import TransportError
from simulator.holder import Typed, untold

# Requests of a device connection.
REACH = b"R"  # -> cards in reach (1 byte), count of changes (4 bytes)
WAIT = b"W"  # count of changes seen (4 bytes), time-out in ms (4 bytes) -> as REACH
POWER_ON = b"U"  # -> 1 for a block protocol else 0, ATR or ATS
POWER_OFF = b"D"  # -> nothing
EXCHANGE = b"X"  # command -> answer
DIGITS = b"P"  # time-out in ms (4 bytes) -> digits, or nothing for the cancel key
PRESSED = b"K"  # time-out in ms (4 bytes) -> the name of the next key

# The first byte of an answer: OK, or the kind of TransportError; TIMED_OUT from a pad only.
OK = 0
KINDS = {1: "removed", 2: "silent", 3: "reader"}
TIMED_OUT = 9

MAX_FRAME = 0xFFFF
_LENGTH = struct.Struct(">H")
_PATIENCE_S = 10.0  # for requests that no card is asked about
_POLL_S = 0.05


def connect(path: str, greeting: str) -> socket.socket:
    """A connection that the process has accepted.  Raises OSError."""
    link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        link.settimeout(_PATIENCE_S)
        link.connect(path)
        link.sendall(greeting.encode() + b"\n")
        answer = b""
        while not answer.endswith(b"\n"):
            byte = link.recv(1)
            if not byte or len(answer) > 256:
                raise ConnectionError("the simulator closed the connection")
            answer += byte
        if answer != b"ok\n":
            raise ConnectionError(answer.decode(errors="replace").strip())
    except BaseException:
        link.close()
        raise
    return link


def frame(body: bytes) -> bytes:
    """Length and body.  Raises ValueError when it is too long for its length."""
    if len(body) > MAX_FRAME:
        raise ValueError(f"{len(body)} bytes do not fit a frame")
    return _LENGTH.pack(len(body)) + body


def read_frame(link: socket.socket) -> bytes:
    """One frame's body.  Raises EOFError when the peer is gone, OSError."""
    got = link.recv(4096)
    while len(got) < 2 or len(got) < 2 + _LENGTH.unpack_from(got)[0]:
        more = link.recv(4096) if got else b""
        if not more:
            raise EOFError("the other end closed the connection")
        got += more
    return got[2:]


def is_gone(link: socket.socket) -> bool:
    """Asked while a request is under way: did the peer close its end?"""
    try:
        return link.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


class SocketReader:
    """A Reader (firmware/channel.py) for one slot of a simulator process.

    Connects when it is first needed, and again after the process was gone.
    """

    def __init__(self, path: str, slot: str):
        self.name = f"{path}#{slot}"
        self._path = path
        self._slot = slot
        self._link: socket.socket | None = None
        self._timeout_s: float | None = None
        self._seen = 0
        self._is_block = False

    def cards_in_reach(self) -> int:
        count, self._seen = struct.unpack(">BI", self._ask(REACH))
        return count

    def wait_change(self, timeout_s: float) -> None:
        """Returns at once when something changed since cards_in_reach() was last asked."""
        # A connection of its own, so that the slot can be used meanwhile.
        try:
            with connect(self._path, f"reader {self._slot}") as link:
                link.settimeout(timeout_s + _PATIENCE_S)
                milliseconds = min(int(timeout_s * 1000), 0xFFFFFFFF)
                link.sendall(frame(WAIT + struct.pack(">II", self._seen, milliseconds)))
                _, self._seen = struct.unpack(">BI", read_frame(link)[1:])
        except (OSError, EOFError) as error:
            raise self._gone(error) from None

    def power_on(self) -> bytes:
        answer = self._ask(POWER_ON)
        self._is_block = answer[0] == 1
        return answer[1:]

    def power_off(self) -> None:
        if self._link is not None:
            try:
                self._ask(POWER_OFF)
            except TransportError:
                self.close()

    @property
    def is_block_protocol(self) -> bool:
        return self._is_block

    def exchange(self, command: bytes, deadline_s: float) -> bytes:
        if self._link is None:
            raise TransportError(f"{self.name} is not powered", "reader")
        return self._ask(EXCHANGE + command, deadline_s)

    def close(self) -> None:
        """The process powers the card down, and drops a command it still holds."""
        if self._link is not None:
            self._link.close()
            self._link = None

    def _ask(self, request: bytes, timeout_s: float = _PATIENCE_S) -> bytes:
        try:
            link = self._link
            if link is None:
                link = self._link = connect(self._path, f"reader {self._slot}")
                self._timeout_s = None
            if timeout_s != self._timeout_s:
                link.settimeout(timeout_s)
                self._timeout_s = timeout_s
            link.sendall(_LENGTH.pack(len(request)) + request)
            answer = read_frame(link)
        except TimeoutError:
            self.close()  # a late answer must not be taken for the next one's
            raise TransportError(f"no answer from {self.name} in time", "silent") from None
        except (OSError, EOFError) as error:
            self.close()
            raise self._gone(error) from None
        if answer[0] != OK:
            raise TransportError(answer[1:].decode(), KINDS.get(answer[0], "reader"))
        return answer[1:]

    def _gone(self, error: Exception) -> TransportError:
        what = f"no simulator at {self._path}: {error}; is `sscsim serve` running?"
        return TransportError(what, "reader")


class SocketPad:
    """The PIN pad of a simulator process.  Each request has a connection of its own."""

    def __init__(self, path: str):
        self._path = path

    def digits(
        self, timeout_s: float, cancelled: Callable[[], bool], typed: Typed = untold
    ) -> bytearray | None:
        """What the holder typed, in ASCII, or None when they or `cancelled()` ended it.

        Raises TimeoutError when nobody typed in time, ConnectionError when the process is gone.
        """
        typed(0, timeout_s)
        answer = self._ask(DIGITS, timeout_s, cancelled)
        if answer:
            typed(len(answer), timeout_s)
        return bytearray(answer) if answer else None

    def key(self, timeout_s: float, interrupted: Callable[[], bool]) -> str | None:
        """The next key pressed; None: none in that time, or interrupted() is true."""
        try:
            answer = self._ask(PRESSED, timeout_s, interrupted)
        except TimeoutError:
            return None
        return None if answer is None else answer.decode()

    def _ask(self, what: bytes, timeout_s: float, ended: Callable[[], bool]) -> bytes | None:
        """None: the peer's answer is empty, or ended() is true."""
        try:
            with connect(self._path, "pad") as link:
                link.sendall(frame(what + struct.pack(">I", int(timeout_s * 1000))))
                return self._wait(link, time.monotonic() + timeout_s + _PATIENCE_S, ended)
        except TimeoutError:
            raise TimeoutError("nobody pressed a key") from None
        except (OSError, EOFError) as error:
            raise ConnectionError(f"no PIN pad at {self._path}: {error}") from None

    @staticmethod
    def _wait(link: socket.socket, ends: float, ended: Callable[[], bool]) -> bytes | None:
        link.settimeout(_POLL_S)
        while not ended():
            try:
                answer = read_frame(link)
            except TimeoutError:
                if time.monotonic() < ends:
                    continue
                raise
            if answer[0] == TIMED_OUT:
                raise TimeoutError
            return answer[1:] or None
        return None


class ControlError(Exception):
    """The simulator refused a request; its words say why."""


class ControlClient:
    """Steers a simulator process: `client.call("insert", slot="user", card="8000001")`.

    The requests are the functions of control.py; each may also be called as a method.
    """

    def __init__(self, path: str):
        """Raises OSError when no simulator listens at path."""
        self._link = connect(str(path), "control")
        self._lines = self._link.makefile("rb")

    def call(self, request: str, **parameters: object) -> Any:
        """The result.  Raises ControlError (refused) and OSError (gone, or no answer in time)."""
        waits_s = parameters.get("timeout_s", 0)
        self._link.settimeout(_PATIENCE_S + (waits_s if isinstance(waits_s, int | float) else 0))
        line = json.dumps({"do": request, **parameters}, ensure_ascii=False)
        self._link.sendall(line.encode() + b"\n")
        answer = self._lines.readline()
        if not answer:
            raise ConnectionError("the simulator closed the connection")
        told = json.loads(answer)
        if "error" in told:
            raise ControlError(told["error"])
        return told["result"]

    def __getattr__(self, request: str) -> Callable[..., Any]:
        if request.startswith("_"):
            raise AttributeError(request)
        return lambda **parameters: self.call(request, **parameters)

    def close(self) -> None:
        self._lines.close()
        self._link.close()

    def __enter__(self) -> ControlClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
