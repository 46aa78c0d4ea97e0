"""The switch of the case: once it opened, nothing is taken until a technician clears it.

The journal knows: a TAMPER record says that the case was opened, another that an operator with the
right "tamper" cleared it.  Meanwhile no card is spoken to and no PIN is taken, for the pad and the
readers may no longer be what they were; a payment whose INTENT is written goes on to its end.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Protocol

from firmware.authorize.logon import check_one
from firmware.authorize.operators import RIGHT_TAMPER
from firmware.authorize.unit import Unit
from firmware.journal import kinds as rec
from firmware.journal.schema import JournalDamagedError
from firmware.journal.store import Journal
from firmware.outcome import Outcome, outcome

log = logging.getLogger(__name__)

OPENED, CLEARED = 1, 2
"""KEY_CASE."""
SEEN_RUNNING, SEEN_AT_START = 1, 2
"""KEY_CASE_SEEN."""


class Switch(Protocol):
    """Raises OSError when it cannot be read."""

    def is_open(self) -> bool:
        """At this moment."""

    def was_opened(self) -> bool:
        """At this moment, or at any since the last call."""


class Tamper:
    """refused: why nothing may be taken, as of the last look; None: nothing stands in the way."""

    def __init__(self, journal: Journal, switch: Switch):
        """Raises JournalError."""
        self._journal = journal
        self._switch = switch
        self._is_tampered = _is_tampered(journal)
        self._is_journaled = True
        self._is_readable = True
        self._seen = SEEN_AT_START

    @property
    def refused(self) -> Outcome | None:
        if self._is_tampered:
            return outcome("TAMPERED")
        return None if self._is_readable else outcome("CASE_SWITCH_MISSING")

    def look(self) -> Outcome | None:
        """`refused`, after asking the switch; what is new is journaled.  Raises JournalError: it
        holds all the same, and the next look journals it."""
        try:
            is_opened = self._switch.was_opened()
        except OSError as error:
            if self._is_readable:
                log.error("the switch of the case: %s", error)
            self._is_readable = False
            return self.refused
        self._is_readable = True
        if is_opened and not self._is_tampered:
            log.error("the case was opened")
            self._is_tampered, self._is_journaled = True, False
        if not self._is_journaled:
            self._append(OPENED, "the case was opened", {rec.KEY_CASE_SEEN: self._seen})
            self._is_journaled = True
        self._seen = SEEN_RUNNING
        return self.refused

    def clear(self, operator: str) -> Outcome:
        """SERVED, or why it stands: TAMPERED while the case is open.  Raises JournalError."""
        self.look()
        if not self._is_readable:
            return outcome("CASE_SWITCH_MISSING")
        if not self._is_tampered:
            return outcome("SERVED")
        try:
            if self._switch.is_open():
                return outcome("TAMPERED")
        except OSError:
            return outcome("CASE_SWITCH_MISSING")
        self._append(CLEARED, "cleared", {rec.KEY_OPERATOR: operator})
        self._is_tampered = False
        return outcome("SERVED")

    def _append(self, case: int, detail: str, more: dict[int, Any]) -> None:
        self._journal.append(rec.KIND_TAMPER, {rec.KEY_DETAIL: detail, rec.KEY_CASE: case, **more})


def _is_tampered(journal: Journal) -> bool:
    """By the newest TAMPER record; one that is damaged, or of another release, was no clearing."""
    try:
        newest = journal.newest_tamper()
    except JournalDamagedError:
        return True
    return newest is not None and newest.body.get(rec.KEY_CASE) != CLEARED


def tell_of_case(unit: Unit) -> Outcome | None:
    """Look, and show what stands in the way now and did not before.  Raises JournalError."""
    before = None if unit.tamper is None else unit.tamper.refused
    refused = unit.look_at_case()
    if refused is None or refused is before:
        return None
    unit.show(refused.name)
    return refused


def tamper_clear(unit: Unit, params: Mapping[str, Any]) -> tuple[Outcome, dict[str, Any]]:
    """operator: logged on, with the right "tamper"; each attempt is a SERVICE record."""
    operator = str(params["operator"])
    refused = check_one(unit, operator, RIGHT_TAMPER)
    if refused is None and unit.tamper is not None:
        result = unit.tamper.clear(operator)
    else:
        result = refused or outcome("SERVED")
    unit.journal.append(
        rec.KIND_SERVICE,
        {
            rec.KEY_OPERATOR: operator,
            rec.KEY_DETAIL: "tamper.clear",
            rec.KEY_OUTCOME: result.number,
        },
    )
    if result.name != "SERVED":  # else the screen at rest says that the unit is ready again
        unit.show(result.name)
    return result, {}
