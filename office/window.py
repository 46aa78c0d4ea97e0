"""The questions that are outstanding on a serial line: how many may be, and when one is lost.

No clock and no line of its own: every `now_s` is the caller's, in seconds of any origin.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from firmware.uplink.frame import MAX_CHUNK, Item
from office.errors import LinkError

Fields = tuple[Item, ...]


class Question(NamedTuple):
    """cost: bytes that the question and its answer take on the line, both ways together."""

    kind: int
    fields: Fields
    cost: int


class Job(Protocol):
    """What one or several questions are asked for (office/jobs.py).  Any may be asked again."""

    error: LinkError | None

    @property
    def is_done(self) -> bool: ...

    def ask(self, chunk: int) -> Question | None:
        """The next question, about `chunk` bytes of a file; None when none is left to ask."""

    def lost(self, question: Question) -> None:
        """No answer will come: it is to be asked again, whole or in parts."""

    def answered(self, question: Question, fields: Fields) -> None:
        """May come after `lost`, when the answer was only late.  Raises LinkError 706."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One question under way."""

    ident: int
    job: Job
    question: Question
    asked_s: float


class ChunkSize:
    """How many bytes to ask for at once, for the most bytes of files a second.

    Where a frame of n bytes costs `_OVERHEAD` more, and a byte is damaged with the chance p, the
    best n is the root of _OVERHEAD / p.  p is counted over about the last `_MEMORY` bytes; before
    there is anything to count, it is taken as that of a rather good line.
    """

    _OVERHEAD = 28
    _MEMORY = 65536
    _LEAST = 128

    def __init__(self) -> None:
        self._bytes = 12_000.0
        self._losses = 0.05

    @property
    def now(self) -> int:
        best = math.sqrt(self._OVERHEAD * self._bytes / self._losses)
        return max(self._LEAST, min(MAX_CHUNK, int(best)))

    def count(self, size: int, *, lost: bool) -> None:
        """A frame of `size` bytes came whole, or did not."""
        kept = max(0.0, 1 - size / self._MEMORY)
        self._bytes = self._bytes * kept + size
        self._losses = max(0.01, self._losses * kept + lost)


class Window:
    """Asks ahead, so that the line never waits for a question; every answer retires one.

    The unit answers in the order it was asked and the line keeps order.  So a question is lost
    when a later one was answered, and all are when none is answered for longer than the line
    needs.  Should order not hold after all, a question is asked once more than necessary, and its
    late answer still counts.
    """

    _TURN_S = 0.15  # of line kept busy while the asker is busy elsewhere
    _MOST_BYTES = 48 << 10  # fits the kernel's buffers, should the asker be busy for long
    _MOST_QUESTIONS = 32
    _LATE = 64  # so many given up questions are remembered for a late answer
    _LEAST_SLACK_S = 0.15

    def __init__(self, bytes_per_s: float, timeout_s: float, attempts: int, ident: int):
        """timeout_s: how long to wait beyond the line's own time, at most, unless answers are
        seen to take longer; attempts: waits in vain."""
        self._bytes_per_s = bytes_per_s
        self._timeout_s = timeout_s
        self._attempts = attempts
        self._ident = ident
        self._asked: dict[int, Asked] = {}
        self._late: dict[int, Asked] = {}
        self._outstanding = 0  # bytes
        self._heard_s = -math.inf
        self._silences = 0
        self._delay_s: float | None = None  # the shortest seen, beyond the line's own time
        self._stall_s = 0.0  # the longest seen lately

    def has_room(self, chunk: int) -> bool:
        busy_s = (self._delay_s or 0) + self._TURN_S
        room = min(self._MOST_BYTES, self._bytes_per_s * busy_s + 2 * chunk)
        return self._outstanding < room and len(self._asked) < self._MOST_QUESTIONS

    def add(self, job: Job, question: Question, now_s: float) -> int:
        """The id under which to ask it."""
        self._ident += 1
        self._asked[self._ident] = Asked(self._ident, job, question, now_s)
        self._outstanding += question.cost
        return self._ident

    def find(self, ident: int) -> Asked | None:
        """The question of that id, also one that was given up a while ago."""
        return self._asked.get(ident) or self._late.get(ident)

    def answered(self, asked: Asked, now_s: float) -> list[Asked]:
        """Retires it; those that it shows to be lost."""
        self._silences = 0
        self._measure(asked, now_s)
        self._heard_s = now_s
        if self._late.pop(asked.ident, None) is not None:
            return []
        overtaken = [each for each in self._asked.values() if each.ident < asked.ident]
        for each in (*overtaken, asked):
            self._retire(each)
        self._remember(overtaken)
        return overtaken

    def overdue(self, now_s: float) -> list[Asked]:
        """All that are outstanding, once the line has been silent for too long.

        Raises LinkError 702 after as many silences in a row as there are attempts.
        """
        if not self._asked:
            return []
        oldest, *others = self._asked.values()
        # One damaged frame is no silence: the next one shows the gap.
        due = oldest.question.cost + sum(each.question.cost for each in others[:1])
        patience_s = due / self._bytes_per_s + self._slack_s()
        if now_s < max(oldest.asked_s, self._heard_s) + patience_s:
            return []
        self._silences += 1
        if self._silences >= self._attempts:
            raise LinkError(702, f"{self._silences} x {self._timeout_s:g} s")
        given_up = list(self._asked.values())
        for each in given_up:
            self._retire(each)
        self._remember(given_up)
        return given_up

    def was_away(self, now_s: float) -> None:
        """The asker looks at the line again: its own absence is not the unit's silence."""
        self._heard_s = max(self._heard_s, now_s)

    def forget(self, job: Job) -> None:
        """Its answers are no longer wanted."""
        for each in [each for each in self._asked.values() if each.job is job]:
            self._retire(each)
        self._late = {ident: each for ident, each in self._late.items() if each.job is not job}

    def _slack_s(self) -> float:
        least_s = min(self._LEAST_SLACK_S, self._timeout_s)
        if self._delay_s is None:
            slack_s = self._timeout_s / 4
        else:
            slack_s = min(least_s + self._delay_s + 3 * self._stall_s, 5 * self._timeout_s)
        return max(slack_s, min(slack_s * 2**self._silences, self._timeout_s))

    def _measure(self, asked: Asked, now_s: float) -> None:
        own_s = asked.question.cost / self._bytes_per_s
        delay_s = max(0.0, now_s - asked.asked_s - own_s)
        self._delay_s = delay_s if self._delay_s is None else min(self._delay_s, delay_s)
        stall_s = now_s - max(asked.asked_s, self._heard_s) - own_s
        self._stall_s = max(stall_s, 0.9 * self._stall_s)

    def _retire(self, asked: Asked) -> None:
        del self._asked[asked.ident]
        self._outstanding -= asked.question.cost

    def _remember(self, given_up: list[Asked]) -> None:
        self._late |= {each.ident: each for each in given_up}
        for ident in list(self._late)[: -self._LATE]:
            del self._late[ident]
