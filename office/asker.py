"""The office's half of the serial protocol, without a line: bytes in, bytes out, a clock from
outside (messages: firmware/uplink/frame.py)."""

from __future__ import annotations

from typing import NamedTuple

from firmware.uplink import frame
from firmware.uplink.frame import FrameReader, Message, encode_frame
from office.errors import LinkError
from office.jobs import odd
from office.window import Asked, ChunkSize, Fields, Job, Window


class NoSuchBatch(LinkError):
    """The batch is not pending (any more)."""


class Announced(NamedTuple):
    """What a unit said unasked; unverified."""

    unit: str
    batch: int


class Asker:
    """Keeps the line full with the questions of its jobs, the first job's first."""

    def __init__(self, bytes_per_s: float, timeout_s: float, attempts: int, ident: int):
        """See Window."""
        self.announced: Announced | None = None
        self.strays = 0  # whole frames that answer no question of ours
        self._jobs: list[Job] = []
        self._reader = FrameReader()
        self._chunk = ChunkSize()
        self._window = Window(bytes_per_s, timeout_s, attempts, ident)

    @property
    def damaged_frames(self) -> int:
        return self._reader.damaged

    def post(self, job: Job, *, last: bool = False) -> None:
        """last: only asked when no other job has anything to ask."""
        self._jobs.insert(len(self._jobs) if last else 0, job)

    def drop(self, job: Job) -> None:
        self._jobs = [each for each in self._jobs if each is not job]
        self._window.forget(job)

    def was_away(self, now_s: float) -> None:
        self._window.was_away(now_s)

    def feed(self, data: bytes, now_s: float) -> None:
        """Bytes that came."""
        for message in self._reader.feed(data):
            if message.kind == frame.ANNOUNCE:
                self._hear_announcement(message.fields)
            else:
                self._hear(message, now_s)

    def to_write(self, now_s: float) -> bytes:
        """The questions that are due.  Raises LinkError 702 when no answer comes for too long."""
        given_up = self._window.overdue(now_s)
        for asked in given_up:
            asked.job.lost(asked.question)
        if given_up:  # one cause, whatever was under way
            self._chunk.count(given_up[0].question.cost, lost=True)
        return b"".join(self._questions(now_s))

    def _questions(self, now_s: float) -> list[bytes]:
        frames = []
        self._jobs = [each for each in self._jobs if not each.is_done and each.error is None]
        for job in self._jobs:
            while self._window.has_room(self._chunk.now):
                question = job.ask(self._chunk.now)
                if question is None:
                    break
                ident = self._window.add(job, question, now_s)
                frames.append(encode_frame(Message(question.kind, ident, question.fields)))
        return frames

    def _hear(self, message: Message, now_s: float) -> None:
        asked = self._window.find(message.ident)
        if asked is None or message.kind not in (
            frame.ERROR,
            frame.ANSWER + asked.question.kind,
        ):
            self.strays += 1
            return
        for lost in self._window.answered(asked, now_s):
            lost.job.lost(lost.question)
            self._chunk.count(lost.question.cost, lost=True)
        self._chunk.count(asked.question.cost, lost=False)
        _settle(asked, message)

    def _hear_announcement(self, fields: Fields) -> None:
        match fields:
            case (str(unit), int(batch)):
                self.announced = Announced(unit, batch)
            case _:
                self.strays += 1


def _settle(asked: Asked, message: Message) -> None:
    try:
        if message.kind == frame.ERROR:
            raise _error(message.fields)
        asked.job.answered(asked.question, message.fields)
    except LinkError as error:
        asked.job.error = error


def _error(fields: Fields) -> LinkError:
    match fields:
        case (frame.NO_SUCH_BATCH, str(text)):
            return NoSuchBatch(703, text)
        case (int(number), str(text)):
            return LinkError(703, f"{number} {text!r}")
        case other:
            return odd(other)
