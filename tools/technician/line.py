"""`python -m tools.technician.line DEVICE BAUD`: ssh's ProxyCommand for a serial line.

It knocks until a unit answers with ssh's ident line, then carries bytes both ways.
"""

from __future__ import annotations

import os
import select
import sys
import termios
import time

from tools.door.line import KNOCK, PIECE, open_line

IDENT = b"SSH-2.0-"
KNOCK_EVERY_S, ANSWER_S = 2.0, 90.0
MOST_NOISE = 1 << 20  # bytes before an ident line: another device, or the rest of a session


def knock(line: int, seconds: float = ANSWER_S) -> bytes:
    """The ident line's first bytes and what followed; b"" when no unit answers in time."""
    termios.tcflush(line, termios.TCIFLUSH)  # an older session may have left its ident line
    heard, until, next_at = b"", time.monotonic() + seconds, 0.0
    noise = 0
    while (now := time.monotonic()) < until and noise < MOST_NOISE:
        if now >= next_at:
            _put(line, KNOCK, until)
            next_at = now + KNOCK_EVERY_S
        ready, _, _ = select.select([line], [], [], min(until, next_at) - now)
        if ready:
            got = os.read(line, PIECE)
            noise += len(got)
            heard = (heard + got)[-2 * PIECE :]
        at = heard.find(IDENT)
        if at >= 0 and b"\n" in heard[at:]:
            return heard[at:]
    return b""


def carry(line: int, reads: int, writes: int, heard: bytes) -> None:
    """Until `reads` ends or the line is gone; heard: goes first.  Raises OSError."""
    os.set_blocking(writes, True)
    _put(writes, heard, time.monotonic() + ANSWER_S)
    while True:
        ready, _, _ = select.select([line, reads], [], [])
        if line in ready:
            got = os.read(line, PIECE)
            if not got:
                return
            _put(writes, got, time.monotonic() + ANSWER_S)
        if reads in ready:
            got = os.read(reads, PIECE)
            if not got:
                return
            _put(line, got, time.monotonic() + ANSWER_S)


def _put(handle: int, data: bytes, until: float) -> None:
    """All of it; raises OSError when the other side takes nothing until then."""
    view = memoryview(data)
    while view:
        _, ready, _ = select.select([], [handle], [], max(until - time.monotonic(), 0))
        if not ready:
            raise OSError("the line takes nothing")
        try:
            view = view[os.write(handle, view) :]
        except BlockingIOError:
            continue


def main() -> int:
    device, baud = sys.argv[1], int(sys.argv[2])
    try:
        line = open_line(device, baud)
        heard = knock(line)
        if not heard:
            print(f"{device}: no unit answers", file=sys.stderr)
            return 1
        carry(line, sys.stdin.fileno(), sys.stdout.fileno(), heard)
    except (OSError, ValueError) as error:
        print(f"{device}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
