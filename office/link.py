"""What a link to one unit offers, whichever way it goes (office/line.py, office/web.py)."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

Progress = Callable[[int, int], None]
"""Called with the bytes done and the bytes in all."""


class UnitInfo(NamedTuple):
    """unit: as the unit says, unverified.  oldest, newest: pending batches, None without any."""

    unit: str
    oldest: int | None
    newest: int | None
    damaged_frames: int


class Offer(NamedTuple):
    """One pending batch: its number, the size of its file, the SHA-256 of its file."""

    batch: int
    size: int
    digest: bytes


class Link(Protocol):
    """Every method raises LinkError after its own bounded repeats."""

    chunk: int
    """How many bytes one read() should ask for."""

    def hello(self) -> UnitInfo: ...

    def next_after(self, after: int) -> Offer | None:
        """The oldest pending batch above `after`."""

    def read(self, batch: int, offset: int, length: int) -> bytes:
        """At least one byte from `offset` on."""

    def put_receipt(self, batch: int, receipt: bytes) -> bool:
        """False: the unit holds that batch no longer, an earlier receipt was verified."""

    def put_down(self, what: str, content: bytes, progress: Progress) -> None:
        """Hand over a signed file."""

    def close(self) -> None: ...
