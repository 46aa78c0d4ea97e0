"""Everything a unit holds: fetched, verified, stored, receipted, batch after batch."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

from office.books import Duplicate
from office.errors import LinkError, Refused
from office.fetch import fetch, forget
from office.folder import Folder
from office.intake import Intake
from office.link import Link, Offer

log = logging.getLogger(__name__)

MAX_BATCHES = 100_000

Progress = Callable[[int, int, int], None]
"""Called with the batch, the bytes held and the bytes in all."""


@dataclass
class Pulled:
    """What one pull did.  repeated: batches that were stored before and got their receipt again."""

    unit: str
    batches: int = 0
    records: int = 0
    repeated: int = 0
    refused: list[tuple[int, Refused]] = field(default_factory=list)
    duplicates: list[Duplicate] = field(default_factory=list)
    damaged_frames: int = 0

    @property
    def is_clean(self) -> bool:
        return not self.refused and not self.duplicates


def pull(
    folder: Folder,
    link: Link,
    progress: Progress,
    *,
    unit: str | None = None,
    again: bool = False,
    now_s: Callable[[], float] = time.time,
) -> Pulled:
    """unit: the one expected at the other end.  again: fetch stored batches too and compare them.

    A refused batch does not hold up the next ones.  Raises LinkError, OfficeError 909; what was
    receipted until then is stored.
    """
    info = link.hello()
    if unit is not None and info.unit != unit:
        raise LinkError(705, f"{info.unit!r:.80} instead of {unit!r}")
    done = Pulled(info.unit)
    intake = Intake(folder, now_s=now_s)
    after = 0
    for _ in range(MAX_BATCHES):
        offer = link.next_after(after)
        if offer is None:
            break
        after = offer.batch
        row = folder.store.batch(info.unit, offer.batch)
        is_same = row is not None and row.file_digest == offer.digest
        if is_same and row.receipt is not None and not again:
            link.put_receipt(offer.batch, row.receipt)
            done.repeated += 1
        else:
            _pull_one(folder, intake, link, progress, done, offer)
    done.damaged_frames = link.hello().damaged_frames - info.damaged_frames
    return done


class Listening(Link, Protocol):
    """A link over which a unit can speak unasked."""

    def listen(self, seconds: float) -> object | None:
        """What it announces within that time."""


def pull_announced(
    folder: Folder,
    link: Listening,
    progress: Progress,
    *,
    unit: str | None = None,
    seconds: float = math.inf,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[Pulled]:
    """Pulls at once, and again whenever the unit announces a batch, for so long.

    A unit that is off or unplugged is waited for.  Raises LinkError 705, 706, OfficeError 909.
    """
    end = clock() + seconds
    while True:
        try:
            yield pull(folder, link, progress, unit=unit)
        except LinkError as error:
            if error.number not in (702, 703, 704):
                raise
            log.warning("%s", error)
        if link.listen(max(0.0, end - clock())) is None:
            return


def _pull_one(
    folder: Folder, intake: Intake, link: Link, progress: Progress, done: Pulled, offer: Offer
) -> None:
    raw = fetch(link, offer, folder.partial, lambda held, size: progress(offer.batch, held, size))
    (taken,) = intake.take([(done.unit, raw)])
    if isinstance(taken, Refused):
        done.refused.append((offer.batch, taken))
    else:
        link.put_receipt(offer.batch, taken.receipt)
        if taken.is_new:
            done.batches += 1
            done.records += taken.records
        else:
            done.repeated += 1
        done.duplicates += taken.duplicates
    forget(offer, folder.partial)
