"""The card loop: wait, identify, serve, wait for removal; chores while no card is being served.

One thread runs it and it alone speaks to readers, PSAM, pad and the journal's writing side.
Hosts hand in jobs from their own threads and wait for the answer.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from firmware.authorize import condition
from firmware.authorize.arrivals import POLL_S, Rest
from firmware.authorize.chores import CHORES_S, Chores
from firmware.authorize.inbox import Inbox
from firmware.authorize.jobs import Job, Jobs
from firmware.authorize.psamwatch import PsamWatch
from firmware.authorize.purchase import Declined, check_before_card, decline, purchase
from firmware.authorize.request import Request
from firmware.authorize.result import outcome_of
from firmware.authorize.service import Errand, ServiceCall, admitted, serve
from firmware.authorize.services import SERVICES
from firmware.authorize.tamper import tell_of_case
from firmware.authorize.trouble import outcome_of_trouble
from firmware.authorize.unit import Menu, Unit, yuan
from firmware.authorize.welcome import welcome
from firmware.channel import Reader
from firmware.journal.schema import JournalError
from firmware.outcome import Outcome, TransportError, outcome
from firmware.supervise import Supervisor

log = logging.getLogger(__name__)

RESULT_S = 2.0
"""A result stands on the screen for so long, even when its card was whisked away."""
NO_READER = -1


class Terminal:
    def __init__(
        self,
        unit: Unit,
        inbox: Inbox,
        jobs: Jobs,
        pause: Callable[[float], None] | None = None,
        menu: Menu | None = None,
        looks: Sequence[Callable[[], object]] = (),
        supervisor: Supervisor | None = None,
    ):
        """pause: sleeps that long or less; tests let a clock of their own pass instead.  menu: None
        where the pad has no keys to press.  looks: further chores, at the start, each round and
        while a person is waited for."""
        self._unit = unit
        self._inbox = inbox
        self._psam = PsamWatch(unit)
        self._jobs = jobs
        self._is_stopping = False
        self._sleeps = pause or self._sleep
        self._menu = menu
        self._supervisor = supervisor or Supervisor()
        self._rest = Rest(self._pause, menu)
        self._cards_seen = 0  # when they were last looked at; NO_READER
        self._must_leave = False
        self._served_at: float | None = None  # the card in reach was served then
        self._result_until = 0.0  # what is shown may be replaced then
        self._idle_shown = ""
        self._looks = looks
        self._glance_at = 0.0
        self._chores = Chores(
            unit,
            inbox,
            self._psam,
            self._supervisor.beat,
            first=(self._look_at_case, *looks),
            last=(self._settle_receipts,),
        )
        self.state = "starting"
        unit.wait = self._pause
        unit.is_cancelled = self._is_cancelled
        unit.ask_host = self._ask_host

    # -- from any thread -------------------------------------------------------------------------

    def stop(self) -> None:
        """End the loop between two commands.  For a signal handler: it takes no lock."""
        self._is_stopping = True

    def status(self) -> dict[str, Any]:
        """What the loop knows, without touching a reader: it answers while a card is served."""
        told = condition.told(self._unit)
        told["journal"] |= self._inbox.status()
        return {
            "state": self.state,
            "card_present": self._cards_seen > 0,
            "waiting": len(self._jobs),
            **told,
        }

    def _sleep(self, seconds: float) -> None:
        self._jobs.came.wait(seconds)
        self._jobs.came.clear()

    def _pause(self, seconds: float) -> None:
        self._supervisor.beat()
        self._sleeps(seconds)

    def _is_cancelled(self) -> bool:
        """Asked again and again by whatever waits for a person: that is life, too."""
        self._supervisor.beat()
        self._glance()
        job = self._jobs.current
        return self._is_stopping or (job is not None and job.is_cancelled)

    def _glance(self) -> None:
        """No chore is done while a person is waited for: what looks find is found here."""
        if self._unit.monotonic() >= self._glance_at:
            self._glance_at = self._unit.monotonic() + CHORES_S
            for look in self._looks:
                self._chores.do(look)

    def _ask_host(
        self, order_no: str, told: Mapping[str, Any], timeout_s: float
    ) -> Mapping[str, Any] | Outcome:
        """Answer the running job's host, and wait for what it hands in."""
        reply = self._jobs.ask(order_no, dict(told))
        until = self._unit.monotonic() + timeout_s
        while self._unit.monotonic() < until:
            if reply.done():
                return reply.result()
            if self._is_cancelled():
                return outcome("CANCELLED")
            self._pause(POLL_S)
        return outcome("HOST_SILENT")

    # -- the loop --------------------------------------------------------------------------------

    def run(self) -> None:
        self._start()
        self._supervisor.ready()
        while not self._is_stopping:
            if self._jobs:
                self._serve_next()
            else:
                self._guarded(self._watch_cards)
            self._chores.do_if_due()
            self._supervisor.beat()
            if not self._jobs:
                is_empty = self._cards_seen <= 0  # NO_READER: it tells when it is back
                is_empty = is_empty and self._unit.monotonic() >= self._result_until
                self._rest.until_the_next_look(is_empty)
        self._finish()

    @property
    def _is_menu_open(self) -> bool:
        return self._menu is not None and self._menu.is_open

    def _start(self) -> None:
        self._unit.show("STARTING")
        self._chores.start()
        self.state = "idle"
        self._rest.listen(self._unit.readers, self._jobs.came.set)
        self._must_leave = bool(self._cards())
        self._guarded(self._watch_cards)

    def _finish(self) -> None:
        self.state = "stopping"
        self._supervisor.stopping()
        self._jobs.close()
        for reader in self._unit.readers:
            self._chores.do(reader.power_off)
            self._chores.do(reader.close)
        self._chores.do(self._unit.journal.checkpoint)
        self._unit.show("STOPPED")

    def _guarded(self, act: Callable[[], None]) -> None:
        """A fault of one card or of the journal never ends the loop."""
        try:
            act()
        except Exception as error:
            result = outcome_of_trouble(error)
            self._unit.show(result.name)
            self._end(result)
            self._pause(CHORES_S)  # one that stays must not fill screen and log

    def _settle_receipts(self) -> None:
        """Trouble with paper is a hint, told when what stands on the screen may be replaced."""
        if self._unit.receipts.settle(self._unit.monotonic() >= self._result_until):
            self._unit.show("PRINTER_NOT_READY")
            self._end(outcome("PRINTER_NOT_READY"))

    def _look_at_case(self) -> None:
        if (refused := tell_of_case(self._unit)) is not None:
            self._idle_shown = refused.name

    # -- cards without a job ---------------------------------------------------------------------

    def _cards(self) -> list[Reader] | None:
        """None when a reader is missing."""
        try:
            return self._unit.cards_in_reach()
        except Exception as error:  # a driver's own fault is no better than a cable's
            if self._cards_seen != NO_READER:
                is_known = isinstance(error, TransportError)
                log.warning("reader: %s", error, exc_info=None if is_known else error)
            return None

    def _watch_cards(self) -> None:
        if self._unit.is_held:
            self._show_idle("")
            return
        cards = self._cards()
        before, self._cards_seen = self._cards_seen, NO_READER if cards is None else len(cards)
        if before == NO_READER != self._cards_seen:
            self._chores.do(self._psam.look)  # what brought the reader back may have brought it too
        if not cards:
            if cards is not None:
                self._must_leave = False
            self._served_at = None
            self._show_idle("READER_MISSING" if cards is None else "")
        elif self._cards_seen == before:
            self._remind()
        elif self._is_menu_open:
            self._cards_seen = before  # greeted when the person is done
        elif len(cards) > 1:
            self._begin("idle")
            self._unit.show("TWO_CARDS")
        elif (refused := self._unit.look_at_case()) is not None:
            self._begin("idle")
            self._unit.show(refused.name)
        else:
            self._greet(cards[0])

    def _show_idle(self, trouble: str) -> None:
        if self._is_menu_open:
            self._idle_shown = ""
            return
        if self._unit.monotonic() < self._result_until:
            return
        message_id, fields = condition.idle_message(self._unit, self._psam.refused)
        if trouble:
            message_id, fields = trouble, {}
        shown = " ".join((message_id, *fields.values()))  # days and hours count on
        if shown != self._idle_shown:
            self._unit.show(message_id, **fields)
            self._idle_shown = shown

    def _remind(self) -> None:
        """A card that should have been taken by now."""
        if self._cards_seen > 1 or self._is_menu_open:
            return  # TWO_CARDS says it, or somebody reads something else
        if self._must_leave:
            message_id, due = "REMOVE_CARD", self._result_until
        elif self._served_at is not None:
            removal_s = self._unit.board.timing.removal_s
            message_id, due = "TAKE_CARD", max(self._result_until, self._served_at + removal_s)
        else:
            return
        if self._unit.monotonic() >= due and self._idle_shown != message_id:
            self._unit.show(message_id)
            self._idle_shown = message_id

    def _greet(self, reader: Reader) -> None:
        """A card and no job: close its open INTENT if it has one, else say whose it is."""
        self._begin("reading")
        result = welcome(self._unit, reader)
        self._end(result)
        if result is None and self._must_leave:
            self._result_until = 0.0
            self._remind()

    def _begin(self, state: str) -> None:
        self.state = state
        self._idle_shown = ""
        self._result_until = 0.0

    def _end(self, result: Outcome | None) -> None:
        """PUT_CARD_BACK stands until that card, or another one, or a job comes."""
        self.state = "idle"
        self._idle_shown = "" if result is None else result.name
        is_open = result is not None and result.name == "PUT_CARD_BACK"
        self._result_until = math.inf if is_open else self._unit.monotonic() + RESULT_S

    # -- jobs ------------------------------------------------------------------------------------

    def _serve_next(self) -> None:
        job = self._jobs.take()
        if self._menu is not None:
            self._menu.make_way()
        self._begin("serving")
        result, told = outcome("UNIT_FAULT"), dict[str, Any]()
        try:
            if isinstance(job.work, ServiceCall):
                result, told = self._service(job, job.work)
            else:
                result = self._purchase(job, job.work)
        except Exception as error:
            result = self._broken_off(job, error)
        finally:
            self._end(result)
            cards = self._cards()
            self._cards_seen = NO_READER if cards is None else len(cards)
            self._served_at = self._unit.monotonic() if job.has_begun and cards else None
            self._inbox.touch()
            self._jobs.end(result, told)

    def _broken_off(self, job: Job, error: Exception) -> Outcome:
        """What the journal knows of the order counts; while it knows nothing, what went wrong."""
        result = outcome_of_trouble(error)
        if isinstance(job.work, ServiceCall):
            self._unit.show(result.name)
            return result
        try:
            known = outcome_of(self._unit.journal.by_order(job.work.order_no))
        except JournalError:
            known = outcome("PUT_CARD_BACK") if job.has_begun else None
        result = known or result
        amount = yuan(job.work.total_fen)
        self._unit.show(result.name, amount=amount, order_no=job.work.order_no)
        return result

    def _purchase(self, job: Job, request: Request) -> Outcome:
        if self._unit.is_held:
            return outcome("BUSY")
        known = outcome_of(self._unit.journal.by_order(request.order_no))
        if known is not None:
            return known  # the same order came twice at once
        self._psam.look()
        refused = check_before_card(self._unit, request)
        if refused is not None:
            return refused
        card = self._wait_for_card(yuan(request.total_fen))
        if isinstance(card, Outcome):
            return decline(self._unit, request, Declined(card))
        job.has_begun = True
        result = purchase(self._unit, card, request)
        self._chores.do(lambda: self._unit.receipts.after(request.order_no))
        return result

    def _service(self, job: Job, call: ServiceCall) -> tuple[Outcome, dict[str, Any]]:
        service = SERVICES[call.name]
        if isinstance(service, Errand):
            return service.act(self._unit, call.params)
        if self._unit.is_held:
            return outcome("BUSY"), {}
        refused = admitted(self._unit, call.name, service, call.params)
        if refused is not None:
            return refused, {}
        self._psam.look()
        card = self._psam.refused or self._wait_for_card("")
        if isinstance(card, Outcome):
            self._unit.show(card.name)
            return card, {}
        job.has_begun = True
        return serve(self._unit, card, call.name, service, call.params)

    def _wait_for_card(self, amount: str) -> Reader | Outcome:
        """The reader with the one card; a card found at start must leave first."""
        until = self._unit.monotonic() + self._unit.board.timing.card_wait_s
        shown = ""
        while self._unit.monotonic() < until:
            if self._is_cancelled():
                return outcome("CANCELLED")
            if (refused := self._unit.look_at_case()) is not None:
                return refused
            cards = self._cards()
            if cards is None:
                return outcome("READER_MISSING")
            self._cards_seen = len(cards)
            if len(cards) > 1:
                return outcome("TWO_CARDS")
            if not cards:
                self._must_leave = False
            elif not self._must_leave:
                return cards[0]
            prompt = "REMOVE_CARD" if self._must_leave else "INSERT_CARD"
            if prompt != shown:
                self._unit.show(prompt, amount=amount)
                shown = prompt
            self._unit.typed(0, until - self._unit.monotonic())
            if self._menu is None:
                self._pause(POLL_S)
            elif self._menu.is_cancel_pressed(POLL_S):
                self._jobs.cancel_at_unit()
        return outcome("REMOVE_CARD" if self._must_leave else "NO_CARD")
