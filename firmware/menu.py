"""The menu for a person at the unit, without a cash register: a table of states.

A state is the id of the message it shows.  `TABLE` says for each state what a key does: an act and
the state that follows; a key that is not named there does nothing.  The menu never touches a card:
it hands a job to the card loop as a host does, and the loop closes it when a host's job comes.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from firmware.authorize.jobs import Answer, Jobs
from firmware.authorize.request import Request
from firmware.authorize.service import ServiceCall
from firmware.authorize.unit import Unit, yuan

log = logging.getLogger(__name__)

OPERATOR = "menu"
"""Stands in records where board.toml wants nobody logged on."""
MAX_DIGITS = 8  # of an amount in fen: 999999.99 yuan
MAX_SETTLEMENTS = 10
RETRY_S = 10.0

# States that show nothing of their own.
CLOSED, WORKING = "closed", "working"
# States that follow, not by name.
SAME, STAY, FIRST, NEXT, BEFORE = "same", "stay", "first", "next", "before"
"""SAME draws nothing anew."""

ITEMS = ("MENU_BALANCE", "MENU_SETTLEMENTS", "MENU_PIN", "MENU_AMOUNT", "MENU_LANGUAGE")
"""In this order; their numbers on the pad are 1, 2, ..."""

Row = dict[str, tuple[str, str]]
"""Key -> (act, state that follows).  "digit" stands for 0 to 9.  An act may name another state."""

_ITEM: Row = {
    "down": ("", NEXT),
    "up": ("", BEFORE),
    "menu": ("", NEXT),
    "digit": ("jump", STAY),
    "clear": ("", CLOSED),
    "cancel": ("", CLOSED),
}
_LEAVE: Row = dict.fromkeys(("confirm", "cancel", "clear"), ("", CLOSED))
_ANYWHERE: Row = {"language": ("language", SAME)}

TABLE: dict[str, Row] = {
    CLOSED: {"menu": ("", FIRST)},
    "MENU_BALANCE": {**_ITEM, "confirm": ("ask_balance", WORKING)},
    "MENU_SETTLEMENTS": {**_ITEM, "confirm": ("ask_settlements", WORKING)},
    "MENU_PIN": {**_ITEM, "confirm": ("ask_pin_change", WORKING)},
    "MENU_AMOUNT": {**_ITEM, "confirm": ("clear_amount", "ENTER_AMOUNT")},
    "MENU_LANGUAGE": {**_ITEM, "confirm": ("language", SAME)},
    "ENTER_AMOUNT": {
        "digit": ("add_digit", STAY),
        "clear": ("clear_amount", STAY),
        "cancel": ("", FIRST),
        "menu": ("", FIRST),
        "confirm": ("pay", WORKING),
    },
    "OVER_MENU_LIMIT": {
        "confirm": ("clear_amount", "ENTER_AMOUNT"),
        "clear": ("clear_amount", "ENTER_AMOUNT"),
        "cancel": ("", CLOSED),
    },
    "BUSY": _LEAVE,
    WORKING: {},
    "BALANCE": {**_LEAVE, "down": ("newest", "SETTLEMENT"), "menu": ("", FIRST)},
    "SETTLEMENT": {
        **_LEAVE,
        "down": ("older", STAY),
        "up": ("newer", STAY),
        "menu": ("", FIRST),
    },
    "NO_SETTLEMENTS": {**_LEAVE, "menu": ("", FIRST)},
}

Press = Callable[[float, Callable[[], bool]], str | None]
"""As Pad.key: (timeout in s, interrupted) -> the key, or None."""


class Menu:
    """Used by the card loop's thread alone.  Without a [menu] section only the language key works.

    press: the keys of the pad.  next_language: of the display.
    """

    def __init__(self, unit: Unit, jobs: Jobs, press: Press, next_language: Callable[[], Any]):
        self._unit = unit
        self._jobs = jobs
        self._press = press
        self._next_language = next_language
        self._rules = unit.board.menu
        self._items = self._offered()
        self._until = 0.0
        self._answer: Answer | None = None
        self._wants = ""
        """The state that shows what the answer tells; "": none does."""
        self._amount_fen = 0
        self._settlements: list[dict[str, Any]] = []
        self._at = 0
        self._orders = 0
        self._deaf_until = 0.0
        self.state = CLOSED

    def _offered(self) -> tuple[str, ...]:
        if self._rules is None:
            return ()
        return tuple(each for each in ITEMS if each != "MENU_AMOUNT" or self._rules.amount_entry)

    @property
    def is_open(self) -> bool:
        return self.state != CLOSED

    # -- for the card loop -----------------------------------------------------------------------

    def rest(self, seconds: float) -> None:
        """Let that time pass, or less when a job or a key came; do what the key is for."""
        self._look_at_answer()
        key = self._listen(seconds)
        if key is not None:
            self.press(key)
        elif self.is_open and self.state != WORKING and self._unit.monotonic() >= self._until:
            self.close()

    def is_cancel_pressed(self, seconds: float) -> bool:
        """Let that time pass while a card is waited for, or less when a key came."""
        key = self._listen(seconds)
        if key == "language":
            self._next_language()
        return key == "cancel"

    def make_way(self) -> None:
        """A job begins: unless it is the menu's own, the menu is closed."""
        if self._answer is None or self._answer.done():
            self.close()

    def close(self) -> None:
        """What was read of the card is forgotten."""
        self.state = CLOSED
        self._answer = None
        self._settlements = []
        self._amount_fen = 0

    def _listen(self, seconds: float) -> str | None:
        """A pad that is gone is left alone for a while: asking it may take its time."""
        now, came = self._unit.monotonic(), self._jobs.came
        if now < self._deaf_until:
            self._unit.wait(seconds)
            return None
        try:
            key = self._press(seconds, came.is_set)
        except OSError as error:
            log.warning("no key is heard for %g s: %s", RETRY_S, error)
            self._deaf_until = self._unit.monotonic() + RETRY_S
            return None
        came.clear()
        return key

    def _look_at_answer(self) -> None:
        """Show what the menu's own job brought; other results stand on the screen already."""
        if self._answer is None or not self._answer.done():
            return
        result, told = self._answer.result()
        self._answer = None
        self._settlements = list(told.get("settlements", ()))[:MAX_SETTLEMENTS]
        if result.name != "SERVED" or not self._wants:
            self.close()
            return
        self._touch()
        if self._wants == "BALANCE":
            self.state = "BALANCE"  # the loop has shown it
        else:
            self._enter(self._newest(""))

    # -- keys ------------------------------------------------------------------------------------

    def press(self, key: str) -> None:
        """One key.  What stands in no row does nothing, but keeps the menu open."""
        self._touch()
        row = TABLE[self.state]
        if self.state != WORKING:
            row = {**_ANYWHERE, **row}
        name = "digit" if key.isdigit() else key
        if name not in row:
            return
        act, follows = row[name]
        override = getattr(self, f"_{act}")(key) if act else None
        self._enter(override or follows)

    def _touch(self) -> None:
        timeout_s = 0.0 if self._rules is None else self._rules.timeout_s
        self._until = self._unit.monotonic() + timeout_s

    def _enter(self, state: str) -> None:
        if state == SAME:
            return
        if state == FIRST:
            state = self._items[0] if self._items else CLOSED
        elif state in (NEXT, BEFORE):
            step = 1 if state == NEXT else -1
            state = self._items[(self._items.index(self.state) + step) % len(self._items)]
        elif state == STAY:
            state = self.state
        if state == CLOSED:
            if self.is_open:
                self.close()
            return
        self.state = state
        if state not in (WORKING, "BALANCE"):
            self._unit.show(state, **self._fields())

    def _fields(self) -> dict[str, str]:
        if self.state == "ENTER_AMOUNT":
            return {"amount": yuan(self._amount_fen)}
        if self.state == "OVER_MENU_LIMIT":
            assert self._rules is not None
            return {"amount": yuan(self._rules.max_fen or 0)}
        if self.state == "SETTLEMENT":
            return _settlement_fields(self._settlements[self._at], self._at + 1)
        return {}

    # -- acts: (key) -> the state that follows instead of the table's, or None ---------------------

    def _jump(self, key: str) -> str | None:
        at = int(key) - 1
        return self._items[at] if 0 <= at < len(self._items) else None

    def _language(self, key: str) -> None:
        self._next_language()  # it draws what stands

    def _clear_amount(self, key: str) -> None:
        self._amount_fen = 0

    def _add_digit(self, key: str) -> None:
        added = self._amount_fen * 10 + int(key)
        if len(str(added)) <= MAX_DIGITS:
            self._amount_fen = added

    def _pay(self, key: str) -> str | None:
        assert self._rules is not None
        if not self._amount_fen:
            return STAY
        if self._amount_fen > (self._rules.max_fen or 0):
            return "OVER_MENU_LIMIT"
        self._orders += 1
        seconds = self._unit.clock.now().epoch_ms // 1000
        order_no = f"menu-{self._unit.journal.boot}-{self._orders}-{seconds}"
        return self._ask(Request(order_no, self._operator(), self._amount_fen, 0, 0), "")

    def _ask_balance(self, key: str) -> str | None:
        return self._ask(ServiceCall("balance"), "BALANCE")

    def _ask_settlements(self, key: str) -> str | None:
        return self._ask(ServiceCall("balance"), "SETTLEMENT")

    def _ask_pin_change(self, key: str) -> str | None:
        return self._ask(ServiceCall("pin.change", {"operator": self._operator()}), "")

    def _ask(self, work: Request | ServiceCall, wants: str) -> str | None:
        """BUSY where a host was quicker."""
        answer = self._jobs.submit(work, at_unit=True)
        if answer is None:
            return "BUSY"
        self._answer, self._wants = answer, wants
        return None

    def _operator(self) -> str:
        """Whoever logged on last, where somebody must have."""
        if self._unit.board.operators.required:
            return self._unit.sessions.newest() or OPERATOR
        return OPERATOR

    def _newest(self, key: str) -> str:
        self._at = 0
        return "SETTLEMENT" if self._settlements else "NO_SETTLEMENTS"

    def _older(self, key: str) -> None:
        self._at = min(self._at + 1, len(self._settlements) - 1)

    def _newer(self, key: str) -> None:
        self._at = max(self._at - 1, 0)


def _settlement_fields(found: dict[str, Any], number: int) -> dict[str, str]:
    """time: YYYYMMDDhhmmss."""
    time = str(found["time"])
    total_fen = sum(found[each] for each in ("account_fen", "self_fen", "pooled_fen"))
    at = f"{time[2:4]}-{time[4:6]}-{time[6:8]} {time[8:10]}:{time[10:12]}"
    return {"number": str(number), "at": at, "amount": yuan(total_fen)}
