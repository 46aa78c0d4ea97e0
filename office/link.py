"""What a link to one unit offers, whichever way it goes (office/line.py, office/web.py)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
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

    def hello(self) -> UnitInfo: ...

    def next_after(self, after: int) -> Offer | None:
        """The oldest pending batch above `after`."""

    def read_all(self, batch: int, offset: int, size: int) -> Iterator[bytes]:
        """The bytes from `offset` to `size` of a batch file of `size` bytes, in order, in pieces.

        Pieces that were yielded before a LinkError are right and need not be asked for again.
        """

    def put_receipt(self, batch: int, receipt: bytes) -> object:
        """It has arrived at the latest when the next hello() is answered.

        No error when the unit holds that batch no longer: an earlier receipt was verified.
        """

    def put_down(self, what: str, content: bytes, progress: Progress) -> None:
        """Hand over a signed file."""

    def close(self) -> None: ...
