"""The wires of a simulated contact card: I/O on a pseudo-terminal, RST and supply beside it.

A pty has no RST and no supply: they are switched by calls.  It has a rate: a reader at another one
than the card's is not understood.
"""

from __future__ import annotations

import os
import pty
import select
import termios
import threading
import time
import tty

ETU = 12  # of a character with its guard time
_INVERTED = bytes(int(f"{each:08b}"[::-1], 2) ^ 0xFF for each in range(256))


class Stop(Exception):
    """Supply or RST changed, or the end: whatever is under way is over."""


class ContactLine:
    """The card's side reads and writes in one thread; power() and reset() come from any.

    has_echo: I/O is one wire, so the reader hears itself.  is_paced: each character takes its time.
    """

    def __init__(self, *, has_echo: bool, is_paced: bool, is_inverse: bool):
        self.etu_s = 1 / 9600
        self.has_ended = False
        self.is_on = False
        self._in_reset = False
        self._has_echo = has_echo
        self._is_paced = is_paced
        self._is_inverse = is_inverse
        self.master, self._slave = pty.openpty()
        tty.setraw(self._slave)
        self.device = os.ttyname(self._slave)
        self._wakes, self._waker = os.pipe()
        self._lock = threading.Lock()
        self._switched = self._seen = 0  # how often, and what of it the card has noticed
        self._due_s = 0.0  # until when the line is busy

    def end(self) -> None:
        """Stops whoever waits."""
        self.has_ended = True
        os.write(self._waker, b"x")

    def close(self) -> None:
        for each in (self.master, self._slave, self._wakes, self._waker):
            os.close(each)

    # -- the reader's side -------------------------------------------------------------------------

    def power(self, on: bool) -> None:
        self._switch(on, self._in_reset)

    def reset(self, asserted: bool) -> None:
        self._switch(self.is_on, asserted)

    def _switch(self, is_on: bool, in_reset: bool) -> None:
        with self._lock:
            if self.has_ended or (is_on, in_reset) == (self.is_on, self._in_reset):
                return
            self.is_on, self._in_reset = is_on, in_reset
            self._switched += 1
            os.write(self._waker, b"x")

    # -- the card's side ---------------------------------------------------------------------------

    def runs(self) -> bool:
        """Supply is on and RST is high; what is switched from now on raises Stop."""
        with self._lock:
            self._seen = self._switched
            return self.is_on and not self._in_reset

    def begin(self) -> None:
        """After a reset: nothing has come."""
        self._due_s = 0.0
        termios.tcflush(self.master, termios.TCIFLUSH)

    def read(self, count: int) -> bytes:
        """So many characters at the card's rate."""
        found = b""
        while len(found) < count:
            self.pause(None, or_line=True)
            part = os.read(self.master, count - len(found))
            if not self._is_understood():
                continue
            if self._is_paced:
                self._due_s = max(self._due_s, time.perf_counter())
                self._due_s += len(part) * ETU * self.etu_s
                self.pause(self._due_s - time.perf_counter())
            if self._has_echo:
                os.write(self.master, part)
            found += part.translate(_INVERTED) if self._is_inverse else part
        return found

    def write(self, data: bytes, slower_s: float = 0.0) -> None:
        """slower_s: so much longer for each character."""
        if self._is_inverse:
            data = data.translate(_INVERTED)
        if not self._is_paced and not slower_s:
            self.pause(0)
            os.write(self.master, data)
            return
        self._due_s = max(self._due_s, time.perf_counter())
        for each in data:
            self._due_s += ETU * self.etu_s + slower_s
            self.pause(self._due_s - time.perf_counter())
            os.write(self.master, bytes([each]))

    def pause(self, seconds: float | None, *, or_line: bool = False) -> None:
        """So long, None: without end, or until characters come.  Raises Stop at a reset."""
        ends_s = None if seconds is None else time.perf_counter() + max(seconds, 0)
        watched = [self._wakes, self.master] if or_line else [self._wakes]
        while True:
            left_s = None if ends_s is None else max(ends_s - time.perf_counter(), 0)
            ready, _, _ = select.select(watched, [], [], left_s)
            if self._wakes not in ready:
                return
            os.read(self._wakes, 100)
            if self.has_ended or self._switched != self._seen:
                raise Stop

    def _is_understood(self) -> bool:
        """The reader's rate is the card's (standard rates only), and it sends two stop bits."""
        _, _, cflag, _, _, speed, _ = termios.tcgetattr(self.master)
        wanted = getattr(termios, f"B{round(1 / self.etu_s)}", None)
        return bool(cflag & termios.CSTOPB) and (wanted is None or speed == wanted)
