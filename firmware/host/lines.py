"""Lines from a link that is not trusted: bounded in length and in time, whatever comes."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

_PIECE = 4096
_LOOK_S = 1.0
"""So often a wait looks whether it shall end."""


class Link(Protocol):
    """A connection or a serial line (drivers/uart.py)."""

    def read(self, maximum: int, timeout_s: float) -> bytes:
        """1..maximum bytes, b"" when the time is over.  TransportError when it is gone."""

    def write(self, data: bytes) -> None:
        """All of it, in bounded time.  TransportError."""

    def close(self) -> None: ...


class LineTooLong(Exception):
    """More bytes without an end than a request may have; the rest of that line is passed over."""


class LineTooSlow(Exception):
    """A line that began did not end in its time; what came of it is dropped."""


class Idle(Exception):
    """Nothing was asked for so long."""


class Lines:
    def __init__(
        self,
        link: Link,
        most: int,
        line_s: float,
        idle_s: float | None,
        monotonic: Callable[[], float] = time.monotonic,
    ):
        """most: bytes of a line without its end.  line_s: from its first byte to its last.
        idle_s: without any line; None: for ever."""
        self._link = link
        self._most = most
        self._line_s = line_s
        self._idle_s = idle_s
        self._monotonic = monotonic
        self._held = b""
        self._began_s: float | None = None
        self._is_passing_over = False

    def next(self, is_ended: Callable[[], bool] = lambda: False) -> bytes | None:
        """One line without its end; None once is_ended().

        Raises LineTooLong, LineTooSlow, Idle, TransportError; after the first two the next line
        may follow.
        """
        started = self._monotonic()
        while not is_ended():
            line = self._taken()
            if line is not None:
                return line
            now = self._monotonic()
            if self._began_s is not None and now - self._began_s > self._line_s:
                self._drop()
                self._is_passing_over = False
                raise LineTooSlow
            if self._idle_s is not None and now - started > self._idle_s:
                raise Idle
            self._hold(self._link.read(_PIECE, _LOOK_S))
        return None

    def _hold(self, piece: bytes) -> None:
        if piece and self._began_s is None:
            self._began_s = self._monotonic()
        self._held += piece

    def _taken(self) -> bytes | None:
        """The next whole line that is held; None when there is none."""
        while True:
            line, end, rest = self._held.partition(b"\n")
            if not end:
                break
            self._held = rest
            self._began_s = self._monotonic() if rest else None
            was_passing_over, self._is_passing_over = self._is_passing_over, False
            if was_passing_over:
                continue
            if len(line) > self._most:
                raise LineTooLong
            return line
        if self._is_passing_over:
            self._drop(self._began_s)
        elif len(self._held) > self._most:
            self._drop(self._began_s)
            self._is_passing_over = True
            raise LineTooLong
        return None

    def _drop(self, began_s: float | None = None) -> None:
        self._held = b""
        self._began_s = began_s
