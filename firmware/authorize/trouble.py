"""What a fault that no rule foresaw is to the people at the counter."""

from __future__ import annotations

import logging

from firmware.journal.schema import (
    JournalCorruptError,
    JournalDamagedError,
    JournalError,
    JournalFullError,
    OrderSettledError,
)
from firmware.outcome import Outcome, outcome

log = logging.getLogger(__name__)


def outcome_of_trouble(error: Exception) -> Outcome:
    """Log it; the outcome of a fault that no rule foresaw."""
    if not isinstance(error, JournalError):
        log.exception("the card loop met a fault of its own", exc_info=error)
        return outcome("UNIT_FAULT")
    log.error("journal: %s", error)
    if isinstance(error, OrderSettledError):
        return outcome("ORDER_SETTLED")
    if isinstance(error, JournalFullError):
        return outcome("DISK_FULL")
    if isinstance(error, JournalDamagedError | JournalCorruptError):
        return outcome("JOURNAL_DAMAGED")
    return outcome("UNIT_FAULT")
