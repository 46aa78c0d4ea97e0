"""A signed file on its way down a serial line, in chunks of any order.

What is whole from the first byte on lies on the disk and outlives a restart; what comes behind a
hole waits in memory.
"""

from __future__ import annotations

from firmware.uplink.frame import MAX_AHEAD
from firmware.uplink.spool import OutOfBounds, Spool, check_down


class Descent:
    """One file at a time: a chunk of another one forgets what waits."""

    def __init__(self, spool: Spool):
        self._spool = spool
        self._file = ("", b"")  # name and SHA-256
        self._ahead: dict[int, bytes] = {}  # offset -> chunk

    def take(
        self, what: str, size: int, digest: bytes, offset: int, chunk: bytes
    ) -> tuple[int, bool]:
        """(bytes held without a hole, whether this chunk is kept).  Raises OutOfBounds, OSError."""
        check_down(what, size)
        if offset + len(chunk) > size:
            raise OutOfBounds("a chunk ends behind its file")
        if self._file != (what, digest):
            self._file, self._ahead = (what, digest), {}
        held = self._spool.arrived(what, digest)
        if held == 0 and self._spool.holds_down(what, digest):
            return size, True  # the answer to its last chunk was lost
        self._keep(held, offset, chunk)
        held = self._append(what, digest, held)
        is_kept = offset + len(chunk) <= held or offset in self._ahead
        if held >= size:
            self._ahead.clear()
            self._spool.finish_down(what, digest)
        return held, is_kept

    def _keep(self, held: int, offset: int, chunk: bytes) -> None:
        """For `_append`; the longest of those with the same offset."""
        ahead = sum(map(len, self._ahead.values()))
        fits = offset <= held or ahead + len(chunk) <= MAX_AHEAD
        if fits and len(chunk) > len(self._ahead.get(offset, b"")):
            self._ahead[offset] = chunk

    def _append(self, what: str, digest: bytes, held: int) -> int:
        """What now follows without a hole goes to the disk; how many bytes lie there."""
        while ready := [offset for offset in self._ahead if offset <= held]:
            offset = min(ready)
            rest = self._ahead.pop(offset)[held - offset :]
            if rest:
                held = self._spool.append_down(what, digest, rest)
        return held
