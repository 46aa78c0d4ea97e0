"""What hosts have asked for: a short queue between their threads and the card loop's."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from firmware.authorize.request import Request
from firmware.authorize.service import ServiceCall
from firmware.outcome import Outcome, outcome

MAX_WAITING = 4

Answer = Future[tuple[Outcome, dict[str, Any]]]


@dataclass
class Job:
    """A payment, or a service besides it."""

    work: Request | ServiceCall
    answer: Answer = field(default_factory=Future)
    is_cancelled: bool = False
    asked: str = ""
    """The order whose host was asked something in the middle of the job."""
    reply: Future[Mapping[str, Any]] | None = None
    at_unit: bool = False
    """Asked for by a person at the unit: no host cancels it."""
    has_begun: bool = False
    """A card is being served: from here on an INTENT may have been written."""


class Jobs:
    """Every method may be called from any thread; only the card loop takes and ends jobs."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: deque[Job] = deque()
        self._is_closed = False
        self.current: Job | None = None
        self.came = threading.Event()
        """Set when something was submitted or cancelled."""

    def __len__(self) -> int:
        """How many wait; the one being served is not among them."""
        return len(self._waiting)

    def submit(self, work: Request | ServiceCall, *, at_unit: bool = False) -> Answer | None:
        """None when too many wait already (a person at the unit comes behind nobody), or the
        terminal is stopping."""
        job = Job(work, at_unit=at_unit)
        most = 1 if at_unit else MAX_WAITING
        with self._lock:
            if self._is_closed or len(self._waiting) >= most:
                return None
            self._waiting.append(job)
        self.came.set()
        return job.answer

    def running(self, order_no: str) -> Answer | None:
        """The answer to come of an order that waits or is served at this moment."""
        with self._lock:
            for job in (self.current, *self._waiting):
                if job is None or isinstance(job.work, ServiceCall):
                    continue
                if job.work.order_no == order_no:
                    return job.answer
        return None

    def cancel(self) -> bool:
        """End the wait for card or PIN of the job being served, else of the next; False: none.

        After the INTENT no payment is cancelled, only the wait for its card to come back.  A job
        of the person at the unit is left alone.
        """
        with self._lock:
            jobs = [each for each in (self.current, *self._waiting) if each is not None]
            found = [each for each in jobs if not each.at_unit][:1]
            for job in found:
                job.is_cancelled = True
        self.came.set()
        return bool(found)

    def cancel_at_unit(self) -> bool:
        """As cancel(), by a key of the unit: the job being served, whoever asked for it."""
        with self._lock:
            job = self.current
            if job is not None:
                job.is_cancelled = True
        self.came.set()
        return job is not None

    def take(self) -> Job:
        """The next one becomes the current one.  Raises IndexError when none waits."""
        with self._lock:
            self.current = self._waiting.popleft()
            return self.current

    def ask(self, order_no: str, told: dict[str, Any]) -> Future[Mapping[str, Any]]:
        """Answer the current one's host with ASKING_HOST; what comes back by `reply`.

        The job goes on, and its end answers whoever replied.
        """
        with self._lock:
            job = self.current
            assert job is not None
            answer, job.answer = job.answer, Future()
            job.asked, job.reply = order_no, Future()
        answer.set_result((outcome("ASKING_HOST"), told))
        return job.reply

    def reply(self, order_no: str, params: Mapping[str, Any]) -> Answer | None:
        """Hand in what that order's host was asked for; None when nobody asks for it (any more)."""
        with self._lock:
            job = self.current
            if job is None or job.reply is None or job.asked != order_no or job.reply.done():
                return None
            job.reply.set_result(params)
            answer = job.answer
        self.came.set()
        return answer

    def end(self, result: Outcome, told: dict[str, Any]) -> None:
        """Answer the current one."""
        with self._lock:
            job, self.current = self.current, None
        if job is not None:
            job.answer.set_result((result, told))

    def close(self) -> None:
        """Take no more; those that wait are answered CANCELLED."""
        with self._lock:
            self._is_closed = True
            left, self._waiting = list(self._waiting), deque()
        for job in left:
            job.answer.set_result((outcome("CANCELLED"), {}))
