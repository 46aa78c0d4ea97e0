"""Damage of the journal that this run has found: told on the screen whenever there is more."""

from __future__ import annotations

from firmware.authorize.inbox import SCRUB_RECORDS
from firmware.authorize.unit import Unit
from firmware.journal.kinds import KIND_DAMAGE


class DamageWatch:
    """Used by the card loop alone."""

    def __init__(self, unit: Unit):
        self._unit = unit
        self._known = 0

    def begin(self) -> None:
        """Damage that earlier starts have told is not told again."""
        journal = self._unit.journal
        found = journal.records(max(journal.head()[0] - SCRUB_RECORDS, 0), SCRUB_RECORDS)
        of_now = [each for each in found if (each.kind, each.boot) == (KIND_DAMAGE, journal.boot)]
        self._known = len(journal.damaged_ranges()) - len(of_now)

    def look(self) -> None:
        found = len(self._unit.journal.damaged_ranges())
        if found > self._known:
            self._unit.show("JOURNAL_DAMAGED")
        self._known = found
