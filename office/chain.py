"""How one batch must continue another.  Raises Refused 803 (chain) and 804 (numbers)."""

from __future__ import annotations

from typing import Protocol

from firmware.journal.record import NO_PREVIOUS
from office.errors import Refused


class Place(Protocol):
    """The place of a batch in its unit's history: of one that came, or of store.BatchRow."""

    @property
    def batch(self) -> int: ...
    @property
    def first(self) -> int: ...
    @property
    def last(self) -> int: ...
    @property
    def digest(self) -> bytes:
        """Of its statement."""

    @property
    def previous(self) -> bytes:
        """The digest it names as that of the statement before."""

    @property
    def opens(self) -> bytes | None:
        """What record `first` names as the record before; None when that record is damaged."""

    @property
    def head(self) -> bytes:
        """The digest of its last record."""


def begins(batch: Place) -> None:
    """Batch 1 of a unit starts with record 1, and nothing lies before either."""
    if batch.first != 1:
        raise Refused(804, f"batch 1 starts with record {batch.first}")
    if batch.previous != NO_PREVIOUS:
        raise Refused(803, "batch 1 names a batch before it")
    if batch.opens not in (None, NO_PREVIOUS):
        raise Refused(803, "record 1 names a record before it")


def overlaps(below: Place, above: Place) -> bool:
    return above.first <= below.last


def follows(below: Place, above: Place) -> None:
    """`above` is the next stored batch above `below`; between them batches may be missing."""
    missing = above.batch - below.batch - 1
    if overlaps(below, above):
        raise Refused(804, f"batches {below.batch} and {above.batch} both hold {above.first}")
    if missing:
        if above.first <= below.last + missing:
            raise Refused(
                804, f"no room for {missing} batches between {below.last} and {above.first}"
            )
        return
    if above.first != below.last + 1:
        raise Refused(
            804, f"batch {below.batch} ends with {below.last}, the next starts with {above.first}"
        )
    if above.previous != below.digest:
        raise Refused(803, f"batch {above.batch} was not sealed after this batch {below.batch}")
    if above.opens not in (None, below.head):
        raise Refused(803, f"record {above.first} does not follow record {below.last}")
