"""`python -m tools.door.line /dev/ttyGS0 [BAUD]`: a technician's way in over a serial line.

The unit says nothing unasked.  A KNOCK starts a fresh `sshd -i` behind the line, at any moment: in
the middle of a session whose other end is gone, too.  What comes without a KNOCK is thrown away.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import subprocess
import sys
import termios
import time
import tty
from pathlib import Path

KNOCK = b"\r\nSSCTERM-DOOR?\r\n"
SSHD = ("/usr/sbin/sshd", "-i", "-e", "-f", str(Path(__file__).with_name("sshd_config")))
BAUD = 115_200
FRESH_S = 30.0
"""So long an sshd to which nobody spoke yet is left alone by another KNOCK: it may be slow to come
up, and who knocked asks again meanwhile."""
BETWEEN_S = 0.2
"""Between two starts: a line full of KNOCKs starts no more than that."""
TORN_S, IDLE_S = 0.2, 60.0
"""A KNOCK comes in one piece, but for so long between two of its bytes."""
MOST_HELD = 4 << 20
"""Bytes on their way to sshd: more than ssh's window, so a slow card loses nothing of the line."""
PIECE = 4096


def open_line(device: str, baud: int) -> int:
    """A raw, non-blocking descriptor, 8N1 without flow control.  Raises OSError, ValueError."""
    speed = getattr(termios, f"B{baud}", None)
    if speed is None:
        raise ValueError(f"{baud} is no speed of a serial line")
    handle = os.open(device, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        tty.setraw(handle, termios.TCSANOW)
        settings = termios.tcgetattr(handle)
        settings[2] = (settings[2] | termios.CLOCAL | termios.CREAD) & ~(
            termios.HUPCL | termios.CRTSCTS
        )
        settings[4] = settings[5] = speed
        termios.tcsetattr(handle, termios.TCSANOW, settings)
    except termios.error as error:
        os.close(handle)
        raise OSError(*error.args) from None
    except BaseException:
        os.close(handle)
        raise
    return handle


class Ear:
    """Parts a stream of bytes into what belongs to a session, and KNOCKs; both may come torn."""

    def __init__(self) -> None:
        self._held = b""

    def hear(self, data: bytes) -> list[bytes | None]:
        """In their order: bytes, and None for a KNOCK.  The beginning of a KNOCK is held back."""
        *before, rest = (self._held + data).split(KNOCK)
        heard: list[bytes | None] = []
        for each in before:
            heard += [each, None]
        begun = max(n for n in range(len(KNOCK)) if rest.endswith(KNOCK[:n]))
        self._held = rest[len(rest) - begun :]
        return [each for each in [*heard, rest[: len(rest) - begun]] if each != b""]

    @property
    def holds(self) -> bool:
        return bool(self._held)

    def let_go(self) -> bytes:
        """What looked like a KNOCK's beginning and was none: a packet may end in the same byte."""
        held, self._held = self._held, b""
        return held


class Session:
    """One sshd and the bytes on their way to it and from it."""

    def __init__(self, command: tuple[str, ...]):
        self.link, theirs = socket.socketpair()
        self.to_sshd, self.to_line = bytearray(), bytearray()
        self._started, self._is_spoken_to = time.monotonic(), False
        with theirs:
            self._process = subprocess.Popen(command, stdin=theirs, stdout=theirs)
        self.link.setblocking(False)

    def hear(self, data: bytes) -> None:
        self.to_sshd += data
        self._is_spoken_to = True

    def stays(self) -> bool:
        """Whether a KNOCK changes nothing."""
        age = time.monotonic() - self._started
        return age < (BETWEEN_S if self._is_spoken_to else FRESH_S)

    def close(self) -> None:
        self.link.close()
        self._process.terminate()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(5)


def serve(line: int, command: tuple[str, ...] = SSHD) -> None:
    """Until the line is gone: raises OSError then."""
    ear = Ear()
    session: Session | None = None
    try:
        while True:
            came = _wait(line, session, TORN_S if ear.holds else IDLE_S)
            if ear.holds and not came:
                held = ear.let_go()
                if session is not None:
                    session.hear(held)
            for heard in ear.hear(_read(line)):
                if heard is None:
                    if session is None or not session.stays():
                        if session is not None:
                            session.close()
                        session = Session(command)
                elif session is not None:
                    session.hear(heard)
            if session is not None and not _move(line, session):
                session.close()
                session = None
    finally:
        if session is not None:
            session.close()


def _wait(line: int, session: Session | None, seconds: float) -> bool:
    """Until something can be moved; whether bytes came on the line."""
    reads, writes = [line], []
    if session is not None:
        if len(session.to_line) < PIECE:
            reads.append(session.link.fileno())
        if session.to_line:
            writes.append(line)
        if session.to_sshd:
            writes.append(session.link.fileno())
    return line in select.select(reads, writes, [], seconds)[0]


def _read(line: int) -> bytes:
    """What is there; raises OSError when the line is gone."""
    try:
        data = os.read(line, PIECE)
    except BlockingIOError:
        return b""
    if not data:
        raise OSError("the line is gone")
    return data


def _move(line: int, session: Session) -> bool:
    """What can be moved now; False when sshd has ended and all it said is on the line."""
    is_open = True
    try:
        if len(session.to_line) < PIECE:
            with contextlib.suppress(BlockingIOError):
                said = session.link.recv(PIECE)
                session.to_line += said
                is_open = bool(said)
        if session.to_sshd:
            with contextlib.suppress(BlockingIOError):
                del session.to_sshd[: session.link.send(session.to_sshd)]
    except (ConnectionResetError, BrokenPipeError):
        is_open = False
    if session.to_line:
        with contextlib.suppress(BlockingIOError):
            del session.to_line[: os.write(line, session.to_line)]
    return (is_open or bool(session.to_line)) and len(session.to_sshd) <= MOST_HELD


def main() -> int:
    if len(sys.argv) not in (2, 3):
        print(__doc__, file=sys.stderr)
        return 2
    try:
        line = open_line(sys.argv[1], int(sys.argv[2]) if len(sys.argv) == 3 else BAUD)
    except (OSError, ValueError) as error:
        print(f"door: {sys.argv[1]}: {error}", file=sys.stderr)
        return 1
    try:
        serve(line)
    except OSError as error:
        print(f"door: {sys.argv[1]}: {error}", file=sys.stderr)
    finally:
        os.close(line)
    return 1


if __name__ == "__main__":
    sys.exit(main())
