"""The card loop: wait, identify, serve, wait for removal; chores while no card is being served.

One thread runs it and it alone speaks to readers, PSAM, pad and the journal's writing side.
Hosts hand in jobs from their own threads and wait for the answer.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from firmware.authorize import limits, psamwatch, recovery
from firmware.authorize.balance import balance
from firmware.authorize.identify import check_identity, read_identity
from firmware.authorize.inbox import Inbox
from firmware.authorize.pin import PinBuffer
from firmware.authorize.purchase import Declined, check_before_card, decline, purchase
from firmware.authorize.request import Request
from firmware.authorize.unit import Unit, yuan
from firmware.authorize.visit import begin, outcome_of
from firmware.channel import Reader
from firmware.clock import TRUST_NAMES
from firmware.journal.record import Record
from firmware.journal.schema import JournalDamagedError, JournalError, JournalFullError
from firmware.outcome import Fault, Outcome, TransportError, outcome

log = logging.getLogger(__name__)

POLL_S = 0.1
CHORES_S = 1.0
MAX_JOBS = 4


@dataclass
class Job:
    """One thing a host asked for; request is None for a balance."""

    request: Request | None
    answer: Future[tuple[Outcome, dict[str, Any]]] = field(default_factory=Future)


class Terminal:
    def __init__(self, unit: Unit, inbox: Inbox):
        self._unit = unit
        self._inbox = inbox
        self._jobs: deque[Job] = deque()
        self._wake = threading.Event()
        self._cancel = threading.Event()
        self._stop = threading.Event()
        self._is_present = False
        self._must_leave = False
        self._was_served = False
        self._chores_at = 0.0
        self.state = "starting"
        unit.wait = self._pause
        unit.is_cancelled = lambda: self._cancel.is_set() or self._stop.is_set()

    # -- from any thread -------------------------------------------------------------------------

    def submit(self, request: Request | None) -> Future[tuple[Outcome, dict[str, Any]]] | None:
        """Queue a payment (or a balance); None when too many wait already."""
        if len(self._jobs) >= MAX_JOBS or self._stop.is_set():
            return None
        job = Job(request)
        self._jobs.append(job)
        self._wake.set()
        return job.answer

    def cancel(self) -> None:
        """End the wait of the current job: before INTENT only, after it nothing is cancelled."""
        self._cancel.set()
        self._wake.set()

    def stop(self) -> None:
        """End the loop between two commands; async-signal-safe enough for a SIGTERM handler."""
        self._stop.set()
        self._wake.set()

    def _pause(self, seconds: float) -> None:
        if self._stop.is_set():
            return
        self._wake.wait(seconds)
        self._wake.clear()

    # -- the loop --------------------------------------------------------------------------------

    def run(self) -> None:
        self._start()
        while not self._stop.is_set():
            self._turn()
            if not self._jobs:
                self._pause(POLL_S)
        self._finish()

    def _start(self) -> None:
        self._unit.show("STARTING")
        self._chore(self._inbox.load_stop_list)
        psamwatch.note_serial(self._unit)
        self._must_leave = self._is_present = bool(self._cards())
        if self._must_leave:
            self._guarded(self._greet)
        else:
            self._unit.show("READY")
        self.state = "idle"

    def _turn(self) -> None:
        if self._jobs:
            self._guarded(self._serve_next)
            return
        self._guarded(self._watch_cards)
        now = self._unit.monotonic()
        if now >= self._chores_at:
            self._chores_at = now + CHORES_S
            self._chore(self._inbox.collect)
            self._chore(lambda: recovery.write_overdue(self._unit))
            self._chore(self._inbox.seal_if_due)

    def _finish(self) -> None:
        self.state = "stopping"
        while self._jobs:
            self._jobs.popleft().answer.set_result((outcome("CANCELLED"), {}))
        for reader in self._unit.readers:
            reader.power_off()
            reader.close()
        self._chore(self._unit.journal.checkpoint)
        self._unit.show("STOPPED")

    def _guarded(self, act: Callable[[], None]) -> None:
        """A fault of one card or of the journal never ends the loop."""
        try:
            act()
        except JournalError as error:
            log.error("journal: %s", error)
            self._unit.show(_journal_outcome(error).name)
        except Exception:
            log.exception("the card loop met a fault of its own")
            self._unit.show("UNIT_FAULT")

    def _chore(self, act: Callable[[], object]) -> None:
        try:
            act()
        except (JournalError, OSError) as error:
            log.error("chore: %s", error)
        except Exception:
            log.exception("a chore met a fault of its own")

    def _cards(self) -> list[Reader]:
        try:
            return self._unit.cards_in_reach()
        except TransportError as error:
            log.warning("reader: %s", error)
            if self.state != "reader missing":
                self._unit.show("READER_MISSING")
            self.state = "reader missing"
            return []

    # -- cards without a job ---------------------------------------------------------------------

    def _watch_cards(self) -> None:
        cards = self._cards()
        if not cards:
            if self._is_present or self.state == "reader missing":
                self._is_present = self._must_leave = self._was_served = False
                self.state = "idle"
                self._unit.show("READY")
            return
        if self._is_present:
            return
        self._is_present = True
        if len(cards) > 1:
            self._unit.show("TWO_CARDS")
            return
        self._greet()

    def _greet(self) -> None:
        """A card and no job: close its open INTENT if it has one, else say whose turn it is."""
        cards = self._cards()
        if len(cards) != 1:
            return
        self.state = "reading"
        intents: list[Record] = []
        try:
            with PinBuffer() as buffer:
                visit = begin(self._unit, cards[0])
                refused = limits.check_psam(self._unit) or read_identity(self._unit, visit)
                if refused is None:
                    intents = recovery.open_intents_of(self._unit, visit)
                for at, intent in enumerate(intents):
                    if at:  # each on a fresh visit
                        visit = begin(self._unit, cards[0])
                        read_identity(self._unit, visit)
                    recovery.recover(self._unit, visit, intent, buffer)
                refused = refused or check_identity(self._unit, visit)
        except Fault as fault:
            refused = outcome_of(fault)
        finally:
            cards[0].power_off()
            self.state = "idle"
        if intents:
            return  # what became of the payment stands on the display
        if refused is not None:
            self._unit.show(refused.name)
        elif self._must_leave:
            self._unit.show("REMOVE_CARD")
        else:
            self._unit.show("CARD_READ", name="")

    # -- jobs ------------------------------------------------------------------------------------

    def _serve_next(self) -> None:
        job = self._jobs.popleft()
        self._cancel.clear()
        self.state = "serving"
        answer: tuple[Outcome, dict[str, Any]] = (outcome("UNIT_FAULT"), {})
        try:
            answer = self._balance() if job.request is None else (self._purchase(job.request), {})
        except JournalError as error:
            answer = (_journal_outcome(error), {})
            raise
        finally:
            self.state = "idle"
            self._is_present = self._was_served = bool(self._cards())
            self._inbox.touch()
            job.answer.set_result(answer)

    def _purchase(self, request: Request) -> Outcome:
        if self._unit.journal.by_order(request.order_no):
            return outcome("BUSY")  # the same order came twice at once: the journal has its result
        refused = check_before_card(self._unit, request)
        if refused is not None:
            return refused
        card = self._wait_for_card(yuan(request.total_fen))
        if isinstance(card, Outcome):
            return decline(self._unit, request, Declined(card))
        return purchase(self._unit, card, request)

    def _balance(self) -> tuple[Outcome, dict[str, Any]]:
        refused = limits.check_psam(self._unit)
        card = refused or self._wait_for_card("")
        if isinstance(card, Outcome):
            self._unit.show(card.name)
            return card, {}
        return balance(self._unit, card)

    def _wait_for_card(self, amount: str) -> Reader | Outcome:
        """The reader with the one card; a card found at start must leave first."""
        until = self._unit.monotonic() + self._unit.board.timing.card_wait_s
        shown = ""
        while self._unit.monotonic() < until:
            cards = self._cards()
            if len(cards) > 1:
                return outcome("TWO_CARDS")
            if not cards:
                self._must_leave = False
            elif not self._must_leave:
                return cards[0]
            if self._unit.is_cancelled():
                return outcome("CANCELLED")
            prompt = "REMOVE_CARD" if self._must_leave else "INSERT_CARD"
            if prompt != shown:
                self._unit.show(prompt, amount=amount)
                shown = prompt
            self._pause(POLL_S)
        return outcome("NO_CARD")

    # -- status ----------------------------------------------------------------------------------

    def status(self) -> dict[str, Any]:
        """What the loop knows, without touching a reader: it answers while a card is served."""
        unit = self._unit
        now = unit.clock.now()
        number, digest = unit.journal.head()
        identity = unit.psam.identity
        stop_list = unit.stop_list
        return {
            "unit": unit.board.unit.id,
            "state": self.state,
            "card_present": self._is_present,
            "waiting": len(self._jobs),
            "psam": None
            if identity is None
            else {
                "terminal": identity.terminal.hex(),
                "up": unit.psam.is_up,
                "valid_until": identity.valid_until,
            },
            "clock": {
                "time": unit.clock.local(now.epoch_ms).isoformat(timespec="seconds"),
                "trust": TRUST_NAMES[now.trust],
                "is_behind": unit.clock.is_behind,
            },
            "stop_list": {"refused": stop_list.name}
            if isinstance(stop_list, Outcome)
            else {"number": stop_list.number, "entries": len(stop_list)},
            "journal": {
                "records": number,
                "head": digest.hex(),
                "open_intents": [each.number for each in unit.journal.open_intents()],
                "damaged": [list(each) for each in unit.journal.damaged_ranges()],
                "free_mb": unit.journal.free_mb(),
                "has_room": unit.journal.has_room,
                **self._inbox.status(),
            },
        }


def _journal_outcome(error: JournalError) -> Outcome:
    if isinstance(error, JournalFullError):
        return outcome("DISK_FULL")
    if isinstance(error, JournalDamagedError):
        return outcome("JOURNAL_DAMAGED")
    return outcome("UNIT_FAULT")
