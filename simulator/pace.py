"""The time that bytes take between reader and chip, for a slot that shall be as slow as a real one.

T=0 (ISO 7816-3 10.3): a character takes 12 etu; beside header, data and status word the card sends
one procedure byte where data follows.  GET RESPONSE is a command like any other.
"""

from __future__ import annotations

import time
from collections.abc import Callable

ETU_PER_CHARACTER = 12
_HEADER, _STATUS = 5, 2


def characters(command: bytes, answer: bytes) -> int:
    """How many cross the line for one command (an APDU without Le beside data) and its answer."""
    sent = command[4] if len(command) > 5 else 0
    received = max(len(answer) - _STATUS, 0)
    return _HEADER + sent + received + _STATUS + bool(sent) + bool(received)


class Pace:
    """baud: etu a second; 9600 is 372 clocks an etu at 3.5712 MHz.

    sleep: lets that many seconds pass by `clock`; None: they are only added up, in `total_s`.
    What a sleep took too long, the next one takes less.
    """

    def __init__(
        self,
        baud: int = 9600,
        sleep: Callable[[float], None] | None = time.sleep,
        clock: Callable[[], float] = time.perf_counter,
    ):
        self.byte_time_s = ETU_PER_CHARACTER / baud
        self.characters = 0
        self._sleep = sleep
        self._clock = clock
        self._owed_s = 0.0

    @property
    def total_s(self) -> float:
        """The time of all characters so far."""
        return self.characters * self.byte_time_s

    def passes(self, count: int) -> None:
        """So many characters cross the line."""
        self.characters += count
        if self._sleep is None:
            return
        self._owed_s += count * self.byte_time_s
        began = self._clock()
        if self._owed_s > 0:
            self._sleep(self._owed_s)
        self._owed_s -= self._clock() - began
