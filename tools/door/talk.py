"""What runs inside ssh between the technician and a unit: JSON lines and counted bytes.

technician  the act is ssh's command, one word; then one line, the request; then, for some acts,
            the bytes that the request counted
unit        {"say": ...} as often as it likes, {"bytes": N} and N bytes, and at the end one
            {"result": {...}} or {"error": {"number": 14xx, "detail": "..."}}
"""

from __future__ import annotations

import json
import os
import select
import time
from collections.abc import Iterator
from typing import Any

MAX_LINE = 1 << 16  # bytes
PIECE = 1 << 16
STALL_S = 60.0
"""So long the other side may be silent in the middle of something."""


class TalkError(Exception):
    """The other side went away, was silent for too long, or did not keep to the form above."""


class Talk:
    """reads, writes: file descriptors, which stay the caller's."""

    def __init__(self, reads: int, writes: int):
        self._reads, self._writes = reads, writes
        self._held = b""

    def line(self, stall_s: float = STALL_S) -> dict[str, Any]:
        """The next JSON object.  Raises TalkError."""
        until = time.monotonic() + stall_s
        while b"\n" not in self._held:
            if len(self._held) > MAX_LINE:
                raise TalkError("a line is too long")
            self._held += self._more(until - time.monotonic())
        raw, _, self._held = self._held.partition(b"\n")
        try:
            found = json.loads(raw)
        except (ValueError, RecursionError):
            raise TalkError("a line is not JSON") from None
        if not isinstance(found, dict):
            raise TalkError("a line is not a JSON object")
        return found

    def bytes(self, count: int, stall_s: float = STALL_S) -> Iterator[bytes]:
        """Exactly so many, in pieces as they come.  Raises TalkError when fewer come."""
        while count:
            if not self._held:
                self._held = self._more(stall_s)
            piece, self._held = self._held[:count], self._held[count:]
            count -= len(piece)
            yield piece

    def _more(self, seconds: float) -> bytes:
        ready, _, _ = select.select([self._reads], [], [], max(seconds, 0))
        if not ready:
            raise TalkError("the other side is silent")
        try:
            got = os.read(self._reads, PIECE)
        except OSError as error:
            raise TalkError(str(error.strerror)) from None
        if not got:
            raise TalkError("the other side went away")
        return got

    def tell(self, value: dict[str, Any]) -> None:
        """One line.  Raises TalkError."""
        self.send(json.dumps(value, ensure_ascii=False).encode() + b"\n")

    def send(self, data: bytes) -> None:
        """Raises TalkError when nobody reads any more; how long that may take, ssh decides."""
        view = memoryview(data)
        while view:
            try:
                view = view[os.write(self._writes, view) :]
            except OSError as error:
                raise TalkError(f"the other side went away: {error.strerror}") from None
