"""The one thread that owns the store of a serving office: batches that wait are taken together.

A commit waits for the disk; what arrives meanwhile goes into the next one, so that a storm of
terminals costs few commits.  What is promised by a future is kept, or the future says why not.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol, TypeVar

from office.errors import OfficeError, Refused
from office.intake import Taken

MOST_BATCHES = 256  # in one transaction
MOST_BYTES = 8 << 20
QUEUE_BATCHES = 8192
QUEUE_BYTES = 128 << 20
STORE_RETRY_S = 1.0
STORE_RETRY_CAP_S = 30.0

Answer = Taken | Refused
T = TypeVar("T")


class Intake(Protocol):
    """office/intake.py; every call from this thread alone."""

    def take(self, batches: Sequence[tuple[str | None, bytes]]) -> list[Answer]:
        """One durable transaction.  Raises OfficeError 909, and then nothing was stored."""


class Busy(Exception):
    """Too much waits already.  retry_after_s: about when it will have been taken."""

    def __init__(self, retry_after_s: float):
        super().__init__(f"busy for {retry_after_s:.0f} s")
        self.retry_after_s = retry_after_s


class Group(NamedTuple):
    """What was taken together: for the metrics."""

    answers: list[Answer]
    seconds: float


class _Waiting(NamedTuple):
    unit: str
    content: bytes
    future: asyncio.Future[Answer]


class _Outcome(NamedTuple):
    """What a future gets: the result, or the error if there is one."""

    future: asyncio.Future[Any]
    result: Any
    error: Exception | None = None


class Writer:
    """open_intake: called in the thread, which it never leaves; `seen` is told of every group."""

    def __init__(
        self,
        open_intake: Callable[[], contextlib.AbstractContextManager[Intake]],
        seen: Callable[[Group], None] = lambda group: None,
    ):
        self._open_intake = open_intake
        self._seen = seen
        self._loop = asyncio.get_running_loop()
        self._changed = threading.Condition()
        self._batches: deque[_Waiting] = deque()
        self._acts: deque[tuple[Callable[[Any], Any], asyncio.Future[Any]]] = deque()
        self._bytes = 0
        self._per_s = 100.0  # batches, of late
        self._back_at_s = 0.0  # until then the store is away
        self._is_closing = False
        self._ready: asyncio.Future[None] = self._loop.create_future()
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)

    async def start(self) -> None:
        """Raises what opening the store raises."""
        self._thread.start()
        await self._ready

    @property
    def waiting(self) -> int:
        return len(self._batches)

    def check_room(self, size: int) -> None:
        """Raises Busy when a batch of `size` bytes would wait too long, or the store is away."""
        away_s = self._back_at_s - time.monotonic()
        if away_s > 0:
            raise Busy(max(1.0, away_s))
        if len(self._batches) >= QUEUE_BATCHES or self._bytes + size > QUEUE_BYTES:
            raise Busy(max(1.0, len(self._batches) / self._per_s))

    async def take(self, unit: str, content: bytes) -> Answer:
        """The receipt of a stored batch, or why it was refused.  Raises Busy, OfficeError 909."""
        self.check_room(len(content))
        future: asyncio.Future[Answer] = self._loop.create_future()
        with self._changed:
            self._batches.append(_Waiting(unit, content, future))
            self._bytes += len(content)
            self._changed.notify()
        return await future

    async def ask(self, act: Callable[[Any], T]) -> T:
        """What `act` makes of the intake, between two groups; for reading."""
        future: asyncio.Future[T] = self._loop.create_future()
        with self._changed:
            self._acts.append((act, future))
            self._changed.notify()
        return await future

    async def close(self) -> None:
        """Everything that waits is answered first."""
        with self._changed:
            self._is_closing = True
            self._changed.notify()
        await asyncio.to_thread(self._thread.join)

    # -- in the thread ---------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            with self._open_intake() as intake:
                self._tell([_Outcome(self._ready, None)])
                self._serve(intake)
        except Exception as error:
            self._tell([_Outcome(self._ready, None, error)])

    def _serve(self, intake: Intake) -> None:
        wait_s = STORE_RETRY_S
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._batches or self._acts or self._is_closing)
                if not self._batches and not self._acts:
                    return
                acts, group = list(self._acts), self._next_group()
                self._acts.clear()
            self._tell([_done(act, intake, future) for act, future in acts])
            if not group or self._take(intake, group):
                wait_s = STORE_RETRY_S
            else:
                self._stand_back(wait_s)
                wait_s = min(wait_s * 2, STORE_RETRY_CAP_S)

    def _stand_back(self, wait_s: float) -> None:
        """The store is away: nobody hangs meanwhile, all are told to come again."""
        with self._changed:
            self._back_at_s = time.monotonic() + wait_s
            waiting, self._bytes = list(self._batches), 0
            self._batches.clear()
        error = OfficeError(909, "the store is away")
        self._tell([_Outcome(each.future, None, error) for each in waiting])
        with self._changed:
            self._changed.wait_for(lambda: self._is_closing, wait_s)

    def _next_group(self) -> list[_Waiting]:
        group: list[_Waiting] = []
        size = 0
        while self._batches and len(group) < MOST_BATCHES and size < MOST_BYTES:
            group.append(self._batches.popleft())
            size += len(group[-1].content)
        self._bytes -= size
        return group

    def _take(self, intake: Intake, group: list[_Waiting]) -> bool:
        """False: the store failed, and every one of the group was told so."""
        began = time.monotonic()
        try:
            answers = intake.take([(each.unit, each.content) for each in group])
        except Exception as error:
            self._tell([_Outcome(each.future, None, error) for each in group])
            return not isinstance(error, OfficeError)
        seconds = time.monotonic() - began
        self._per_s += (len(group) / max(seconds, 1e-3) - self._per_s) / 8
        self._tell([_Outcome(w.future, a) for w, a in zip(group, answers, strict=True)])
        self._loop.call_soon_threadsafe(self._seen, Group(answers, seconds))
        return True

    def _tell(self, outcomes: list[_Outcome]) -> None:
        """One wake-up of the loop for all of them."""
        if outcomes:
            with contextlib.suppress(RuntimeError):  # the loop has ended: nobody waits any more
                self._loop.call_soon_threadsafe(_settle, outcomes)


def _done(act: Callable[[Any], Any], intake: Intake, future: asyncio.Future[Any]) -> _Outcome:
    try:
        return _Outcome(future, act(intake))
    except Exception as error:
        return _Outcome(future, None, error)


def _settle(outcomes: list[_Outcome]) -> None:
    for future, result, error in outcomes:
        if future.done():  # its client has gone
            continue
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)
