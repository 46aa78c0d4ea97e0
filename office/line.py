"""The office's end of a serial line: a port for the asker (office/asker.py).

The one place in the office that knows pyserial.
"""

from __future__ import annotations

import contextlib
import secrets
import time
from collections.abc import Callable, Iterator

import serial

from firmware.journal.batch import MAX_BATCH
from firmware.uplink import frame
from office.asker import Announced, Asker, NoSuchBatch
from office.errors import LinkError
from office.jobs import Once, Reading, Sending, odd
from office.link import Offer, Progress, UnitInfo
from office.window import Job

DEFAULT_BAUD = 115200
TIMEOUT_S = 2.0  # beyond the line's own time, at most; first a quarter of it
ATTEMPTS = 8
_TICK_S = 0.02
_WRITE_S = 10.0
_BITS_A_BYTE = 10  # 8N1


class SerialLink:
    """Fetches a batch while the one before is taken in: what is asked ahead is bounded."""

    def __init__(
        self,
        device: str,
        baud: int = DEFAULT_BAUD,
        *,
        timeout_s: float | None = None,
        attempts: int | None = None,
    ):
        """timeout_s, attempts: TIMEOUT_S and ATTEMPTS unless given.  Raises LinkError 701."""
        try:
            self._port = serial.Serial(
                device, baud, timeout=_TICK_S, write_timeout=_WRITE_S, exclusive=True
            )
        except (serial.SerialException, OSError, ValueError) as error:
            raise LinkError(701, f"{device}: {error}") from None
        self._asker = Asker(
            baud / _BITS_A_BYTE,
            TIMEOUT_S if timeout_s is None else timeout_s,
            ATTEMPTS if attempts is None else attempts,
            # A start that no earlier process of this office, and no other one, is likely to have.
            secrets.randbits(31),
        )
        self._receipts: list[Once] = []
        self._next: tuple[int, Once] | None = None  # asked ahead: what comes after that batch
        self._ahead: Reading | None = None

    @property
    def damaged_frames(self) -> int:
        return self._asker.damaged_frames

    def hello(self) -> UnitInfo:
        """Answered once everything that was handed over before has arrived."""
        while self._receipts:
            with contextlib.suppress(NoSuchBatch):  # an earlier receipt was verified
                self._run(self._receipts.pop(0), posted=True)
        match self._ask(frame.HELLO):
            case (str(unit), int() | None as oldest, int() | None as newest, int(damaged)):
                return UnitInfo(unit, oldest, newest, damaged)
            case other:
                raise odd(other)

    def next_after(self, after: int) -> Offer | None:
        if self._next is not None and self._next[0] == after:
            asked = self._next[1]
            self._run(asked, posted=True)
            offer = _offer(after, asked.answer)
            if offer is not None and (self._ahead is None or self._ahead.error is None):
                return offer
        self._forget_ahead()
        return _offer(after, self._ask(frame.NEXT, after))

    def read_all(self, batch: int, offset: int, size: int) -> Iterator[bytes]:
        job = self._ahead
        if job is None or (job.batch, job.size) != (batch, size):
            self._forget_ahead()
            job = Reading(batch, size)
            self._asker.post(job)
        self._ahead = None
        job.start_at(offset)
        following = Once(frame.NEXT, batch)
        self._next = (batch, following)
        self._asker.post(following)
        try:
            self._came_back()
            while True:
                if piece := job.take():
                    yield piece
                if job.is_done:
                    return
                _raise(job)
                self._turn()
        finally:
            self._asker.drop(job)

    def put_receipt(self, batch: int, receipt: bytes) -> None:
        """On its way with the next questions; hello() waits for it."""
        job = Once(frame.RECEIPT, batch, receipt)
        self._receipts = [each for each in self._receipts if not each.is_done] + [job]
        self._asker.post(job)

    def put_down(self, what: str, content: bytes, progress: Progress) -> None:
        """Goes on at the number of bytes the unit holds; a unit that restarted may hold less."""
        job = Sending(what, content)
        seen = 0

        def tell() -> None:
            nonlocal seen
            if job.held > seen:
                seen = job.held
                progress(seen, len(content))

        self._run(job, tell)

    def listen(self, seconds: float) -> Announced | None:
        """What a unit announces within that time."""
        deadline = time.monotonic() + seconds
        self._asker.announced = None
        while self._asker.announced is None and time.monotonic() < deadline:
            self._turn()
        return self._asker.announced

    def close(self) -> None:
        self._port.close()

    def _ask(self, kind: int, *fields: frame.Item) -> tuple[frame.Item, ...]:
        job = Once(kind, *fields)
        self._run(job)
        assert job.answer is not None
        return job.answer

    def _run(
        self, job: Job, each_turn: Callable[[], None] = lambda: None, *, posted: bool = False
    ) -> None:
        """Until it is done; raises LinkError.  posted: the asker has it already."""
        if not posted:
            self._asker.post(job)
        self._came_back()
        try:
            while not job.is_done:
                _raise(job)
                self._turn()
                each_turn()
        finally:
            self._asker.drop(job)

    def _came_back(self) -> None:
        """What came while the office was busy is heard before any silence is counted."""
        now_s = time.monotonic()
        self._asker.was_away(now_s)
        with _line_errors():
            self._write(now_s)

    def _turn(self) -> None:
        with _line_errors():
            data = self._port.read(1)
            if data:
                data += self._port.read(self._port.in_waiting)
            now_s = time.monotonic()
            self._asker.feed(data, now_s)
            self._look_ahead()
            self._write(now_s)

    def _write(self, now_s: float) -> None:
        questions = self._asker.to_write(now_s)
        if questions:
            self._port.write(questions)

    def _look_ahead(self) -> None:
        """Begin with the next batch as soon as it is known."""
        if self._next is None or self._ahead is not None or self._next[1].answer is None:
            return
        after, asked = self._next
        offer = _offer(after, asked.answer)
        if offer is not None and 0 < offer.size <= MAX_BATCH:
            self._ahead = Reading(offer.batch, offer.size)
            self._asker.post(self._ahead, last=True)

    def _forget_ahead(self) -> None:
        for job in (self._next and self._next[1], self._ahead):
            if job is not None:
                self._asker.drop(job)
        self._next = self._ahead = None


@contextlib.contextmanager
def _line_errors() -> Iterator[None]:
    try:
        yield
    except (serial.SerialException, OSError) as error:
        raise LinkError(702, str(error)) from None


def _raise(job: Job) -> None:
    if job.error is not None:
        raise job.error


def _offer(after: int, answer: tuple[frame.Item, ...] | None) -> Offer | None:
    match answer:
        case (None, _, _):
            return None
        case (int(batch), int(size), bytes(digest)) if batch > after and len(digest) == 32:
            return Offer(batch, size, digest)
        case other:
            raise odd(other or ())
