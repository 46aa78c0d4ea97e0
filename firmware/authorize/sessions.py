"""Who is logged on, until when, and who is locked out.  It lives as long as the process does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from firmware.authorize.operators import Operator
from firmware.board_sections import Operators as Rules

CONFIRM_S = 120.0
"""A password entered at most so long ago confirms one act that needs two people."""
NOBODY = "-"
"""Stands for every code that is not on the list: what was typed there may be a password."""


@dataclass
class _Session:
    operator: Operator
    ends: float
    proved: float
    """When the password was entered last; all moments are of the unit's monotonic clock."""
    is_spent: bool = False
    """The last password entry has confirmed an act already."""


class Sessions:
    def __init__(self, monotonic: Callable[[], float], rules: Rules):
        self._monotonic = monotonic
        self._rules = rules
        self._open: dict[str, _Session] = {}
        self._failures: dict[str, int] = {}
        self._locked_until: dict[str, float] = {}

    def is_locked(self, code: str) -> bool:
        return self._monotonic() < self._locked_until.get(code, 0.0)

    def fail(self, code: str) -> bool:
        """A wrong password; True when it was the one that locks the code out."""
        failed = self._failures.get(code, 0) + 1
        if failed < self._rules.attempts:
            self._failures[code] = failed
            return False
        self._failures.pop(code, None)
        self._open.pop(code, None)
        self._locked_until[code] = self._monotonic() + self._rules.lockout_s
        return True

    def open(self, operator: Operator) -> None:
        """A right password: a session, or the same one longer, and a fresh confirmation."""
        now = self._monotonic()
        self._failures.pop(operator.code, None)
        self._open[operator.code] = _Session(operator, now + self._rules.timeout_s, now)

    def close(self, code: str) -> bool:
        """False when there was none."""
        was_open = self._live(code) is not None
        self._open.pop(code, None)
        return was_open

    def uses(self, operator: Operator | None) -> bool:
        """Is that operator logged on, as the list in force has them?  The time-out starts anew."""
        if operator is None:
            return False
        session = self._live(operator.code)
        if session is None or session.operator != operator:
            return False
        session.ends = self._monotonic() + self._rules.timeout_s
        return True

    def newest(self) -> str | None:
        """The code of whoever entered a password last and is still logged on."""
        live = [each for code in list(self._open) if (each := self._live(code)) is not None]
        found = max(live, key=lambda each: each.proved, default=None)
        return None if found is None else found.operator.code

    def confirms(self, code: str) -> bool:
        """The password was entered within CONFIRM_S, and for no other act."""
        session = self._live(code)
        if session is None or session.is_spent:
            return False
        return self._monotonic() - session.proved <= CONFIRM_S

    def spend(self, code: str) -> None:
        """That confirmation was for the act that begins now."""
        if code in self._open:
            self._open[code].is_spent = True

    def _live(self, code: str) -> _Session | None:
        session = self._open.get(code)
        if session is None or self._monotonic() >= session.ends:
            self._open.pop(code, None)
            return None
        return session
