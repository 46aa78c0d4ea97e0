"""What the card loop does between cards: chores, each under a guard, once a second.

A chore that fails is logged and done again at its next time; it never ends the loop.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from firmware.authorize import recovery
from firmware.authorize.damage import DamageWatch
from firmware.authorize.inbox import Inbox
from firmware.authorize.psamwatch import PsamWatch
from firmware.authorize.unit import Unit
from firmware.journal.schema import JournalError

log = logging.getLogger(__name__)

CHORES_S = 1.0

Act = Callable[[], object]


class Chores:
    """Used by the card loop's thread alone."""

    def __init__(
        self,
        unit: Unit,
        inbox: Inbox,
        psam: PsamWatch,
        beat: Callable[[], None],
        first: Sequence[Act] = (),
        last: Sequence[Act] = (),
    ):
        """beat: a sign of life.  first: done at the start too; last: at the end of each round."""
        self._unit = unit
        self._inbox = inbox
        self._psam = psam
        self._beat = beat
        self._first = first
        self._last = last
        self._damage = DamageWatch(unit)
        self._due_at = 0.0
        self._complaints: set[str] = set()
        """Of this round, and of the one before: what goes on is logged once, not each second."""
        self._told: set[str] = set()

    def start(self) -> None:
        for act in (*self._looks(), self._damage.begin, self._psam.look):
            self.do(act)

    def do_if_due(self) -> None:
        now = self._unit.monotonic()
        if now < self._due_at:
            return
        self._due_at = now + CHORES_S
        for act in (
            self._psam.look_if_due,
            *self._looks(),
            self._inbox.collect,
            lambda: recovery.write_overdue(self._unit),
            self._inbox.settle,
            self._inbox.scrub_if_due,
            self._inbox.prune_if_due,
            self._inbox.seal_if_due,
            self._damage.look,
            *self._last,
        ):
            self.do(act)
        self._told, self._complaints = self._complaints, set()

    def _looks(self) -> tuple[Act, ...]:
        """The office's keys are among them: they verify receipts."""
        return (*self._first, *self._inbox.looks)

    def do(self, act: Act) -> None:
        """One chore, under the guard."""
        try:
            act()
        except (JournalError, OSError) as error:
            if self._is_new(error):
                log.error("chore: %s", error)
        except Exception as error:
            if self._is_new(error):
                log.exception("a chore met a fault of its own")
        self._beat()

    def _is_new(self, error: Exception) -> bool:
        complaint = repr(error)
        is_new = complaint not in self._told | self._complaints
        self._complaints.add(complaint)
        return is_new
