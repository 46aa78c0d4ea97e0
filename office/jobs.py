"""What the office wants of a unit on a serial line, as questions that may be lost and repeated."""

from __future__ import annotations

import hashlib

from firmware.uplink import frame
from office.errors import LinkError
from office.ranges import Range, Ranges
from office.window import Fields, Question

_SHORT = 128  # bytes of a short question and its answer
_AHEAD = frame.MAX_AHEAD  # a hole is filled before more than this is asked for beyond it


class Once:
    """One question; `answer`: the fields of its answer."""

    def __init__(self, kind: int, *fields: frame.Item):
        self.answer: Fields | None = None
        self.error: LinkError | None = None
        long = sum(len(each) for each in fields if isinstance(each, bytes))
        self._question = Question(kind, fields, _SHORT + long)
        self._is_due = True

    @property
    def is_done(self) -> bool:
        return self.answer is not None

    def ask(self, chunk: int) -> Question | None:
        del chunk
        if not self._is_due or self.is_done:
            return None
        self._is_due = False
        return self._question

    def lost(self, question: Question) -> None:
        del question
        self._is_due = True

    def answered(self, question: Question, fields: Fields) -> None:
        del question
        self.answer = fields


class Reading:
    """The file of a batch; pieces may come in any order."""

    def __init__(self, batch: int, size: int):
        """size: as the unit announced it, within bounds."""
        self.batch = batch
        self.size = size
        self.error: LinkError | None = None
        self._content = bytearray(size)
        self._taken = 0
        self._missing = Ranges((0, size))
        self._to_ask = Ranges((0, size))

    @property
    def is_done(self) -> bool:
        return not self._missing

    def start_at(self, offset: int) -> None:
        """What lies before it is here already."""
        self._taken = offset
        self._missing.remove(0, offset)
        self._to_ask.remove(0, offset)

    def take(self) -> bytes:
        """What has come since, in order, up to the first hole."""
        start, self._taken = self._taken, self._whole_to()
        return bytes(self._content[start : self._taken])

    def ask(self, chunk: int) -> Question | None:
        if not self._to_ask or self._to_ask.first[0] - self._whole_to() > _AHEAD:
            return None
        start, end = self._to_ask.first
        length = min(chunk, end - start)
        self._to_ask.remove(start, start + length)
        return Question(frame.READ, (self.batch, start, length), length + length // 254 + 56)

    def lost(self, question: Question) -> None:
        for part in self._missing.within(*_read_span(question)):
            self._to_ask.add(*part)

    def answered(self, question: Question, fields: Fields) -> None:
        start, end = _read_span(question)
        match fields:
            case (self.batch, int(offset), bytes(chunk)) if (
                offset == start and 0 < len(chunk) <= end - start
            ):
                end = start + len(chunk)
                self._content[start:end] = chunk
                self._missing.remove(start, end)
                self._to_ask.remove(start, end)
                self.lost(question)  # what a short answer leaves
            case other:
                raise odd(other)

    def _whole_to(self) -> int:
        return self._missing.first[0] if self._missing else self.size


class Sending:
    """A signed file on its way down; the unit keeps what comes behind a hole for a while."""

    def __init__(self, what: str, content: bytes):
        self.what = what
        self.error: LinkError | None = None
        self.held = 0  # bytes that lie on the unit's disk, without a hole
        self._content = content
        self._digest = hashlib.sha256(content).digest()
        self._missing = Ranges((0, len(content)))
        self._to_ask = Ranges((0, len(content)))
        self._in_vain = 0  # how often the unit did not keep what it was sent

    @property
    def is_done(self) -> bool:
        return self.held == len(self._content)

    def ask(self, chunk: int) -> Question | None:
        if not self._to_ask or self._to_ask.first[0] - self.held > _AHEAD - chunk:
            return None
        start, end = self._to_ask.first
        end = min(end, start + chunk)
        self._to_ask.remove(start, end)
        piece = self._content[start:end]
        fields = (self.what, len(self._content), self._digest, start, piece)
        return Question(frame.DOWN, fields, len(piece) + len(piece) // 254 + 128)

    def lost(self, question: Question) -> None:
        for part in self._missing.within(*_sent_span(question)):
            self._to_ask.add(*part)

    def answered(self, question: Question, fields: Fields) -> None:
        match fields:
            case (str(), int(held), int(is_kept)) if held <= len(self._content):
                self._learn(question, held, bool(is_kept))
            case other:
                raise odd(other)

    def _learn(self, question: Question, held: int, is_kept: bool) -> None:
        start, end = _sent_span(question)
        self.held = held
        self._got(0, held)
        if is_kept:
            self._got(start, end)
        else:
            self._wants(max(start, held), end)
        if not self.is_done:  # a unit that was restarted has lost what it kept behind a hole
            self._wants(held, self._missing.first[0] if self._missing else len(self._content))

    def _got(self, start: int, end: int) -> None:
        self._missing.remove(start, end)
        self._to_ask.remove(start, end)

    def _wants(self, start: int, end: int) -> None:
        if start >= end:
            return
        self._missing.add(start, end)
        self._to_ask.add(start, end)
        self._in_vain += 1
        if self._in_vain > 64 + len(self._content) // 64:
            raise LinkError(702, f"{self.what}: the unit does not keep what it is sent")


def _read_span(question: Question) -> Range:
    _, start, length = question.fields
    assert isinstance(start, int)
    assert isinstance(length, int)
    return start, start + length


def _sent_span(question: Question) -> Range:
    *_, start, piece = question.fields
    assert isinstance(start, int)
    assert isinstance(piece, bytes)
    return start, start + len(piece)


def odd(answer: Fields) -> LinkError:
    return LinkError(706, f"{answer!r:.80}")
