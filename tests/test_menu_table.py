"""The menu as a table: every state and key, whatever a person presses, in any order."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware import menu as menus
from firmware.authorize.jobs import Job, Jobs
from firmware.authorize.request import Request
from firmware.authorize.service import ServiceCall
from firmware.board_keys import KEY_NAMES
from firmware.board_keys import Menu as Rules
from firmware.display.messages import MESSAGES
from firmware.menu import CLOSED, ITEMS, TABLE, WORKING, Menu
from firmware.outcome import outcome

FOLLOWING = {menus.SAME, menus.STAY, menus.FIRST, menus.NEXT, menus.BEFORE, *TABLE}
WITH_AMOUNT = Rules(True, 20_000, 20.0)
SETTLEMENT = {
    "serial": 7, "type": "06", "terminal": "510100000001", "time": "20261122093015",
    "account_fen": 1000, "self_fen": 200, "pooled_fen": 34,
}  # fmt: skip


class Person:
    """A menu with a clock and a card loop that only this moves."""

    def __init__(self, rules: Rules | None = WITH_AMOUNT, settlements: int = 3):
        self.now = 0.0
        self.shown: list[tuple[str, dict[str, str]]] = []
        self.languages = 0
        self.settlements = [SETTLEMENT | {"account_fen": 1000 * at} for at in range(settlements)]
        self.done: list[Request | ServiceCall] = []
        self.keys: list[str] = []
        self.jobs = Jobs()
        unit: Any = SimpleNamespace(
            board=SimpleNamespace(menu=rules, operators=SimpleNamespace(required=False)),
            journal=SimpleNamespace(boot=7),
            clock=SimpleNamespace(now=lambda: SimpleNamespace(epoch_ms=1_795_320_000_000)),
            monotonic=lambda: self.now,
            show=lambda name, **fields: self.shown.append((name, fields)),
            wait=self._pass,
        )
        self.menu = Menu(unit, self.jobs, self._press, self._next_language)

    def _pass(self, seconds: float) -> None:
        self.now += seconds

    def _press(self, seconds: float, interrupted: Callable[[], bool]) -> str | None:
        if self.keys:
            return self.keys.pop(0)
        self.now += seconds
        return None

    def _next_language(self) -> None:
        self.languages += 1

    def press(self, *keys: str) -> str:
        for key in keys:
            self.keys.append(key)
            self.menu.rest(0.1)
        return self.menu.state

    def rest(self, seconds: float) -> None:
        for _ in range(round(seconds / 0.1)):
            self.menu.rest(0.1)

    def serve(self, name: str = "SERVED") -> None:
        """The card loop serves what waits."""
        while self.jobs:
            job = self.jobs.take()
            self.menu.make_way()
            self.done.append(job.work)
            self.jobs.end(outcome(name), {"settlements": self.settlements})
        self.menu.rest(0.1)


# -- the table -------------------------------------------------------------------------------------


def test_every_state_is_a_message_and_every_row_names_keys_acts_and_states() -> None:
    for state, row in TABLE.items():
        assert state in MESSAGES or state in (CLOSED, WORKING)
        for key, (act, follows) in row.items():
            assert key in (*KEY_NAMES, "digit")
            assert follows in FOLLOWING
            assert not act or callable(getattr(Menu, f"_{act}"))
    assert set(ITEMS) <= set(TABLE)


def test_every_state_can_be_left_by_one_key_and_is_reached() -> None:
    reached = {follows for row in TABLE.values() for _, follows in row.values()}
    overriding = {"BUSY", "OVER_MENU_LIMIT", "NO_SETTLEMENTS", "BALANCE"}
    assert set(TABLE) == (reached & set(TABLE)) | set(ITEMS) | overriding
    for state in set(TABLE) - {CLOSED, WORKING}:
        assert TABLE[state]["cancel"][1] in (CLOSED, menus.FIRST), state


def at_state(state: str) -> Person:
    """A person who pressed their way to that state."""
    ways: dict[str, Callable[[Person], Any]] = {
        CLOSED: lambda person: None,
        "BUSY": lambda person: (person.press("menu"), person.jobs.submit(ServiceCall("balance")),
                                person.press("confirm")),
        "OVER_MENU_LIMIT": lambda person: person.press("menu", "4", "confirm", *"20001", "confirm"),
        "ENTER_AMOUNT": lambda person: person.press("menu", "4", "confirm", "5"),
        WORKING: lambda person: person.press("menu", "confirm"),
        "BALANCE": lambda person: (person.press("menu", "confirm"), person.serve()),
        "SETTLEMENT": lambda person: (person.press("menu", "2", "confirm"), person.serve()),
        "NO_SETTLEMENTS": lambda person: (person.press("menu", "2", "confirm"), person.serve()),
    }  # fmt: skip
    person = Person(settlements=0 if state == "NO_SETTLEMENTS" else 3)
    if state in ITEMS:
        person.press("menu", str(ITEMS.index(state) + 1))
    else:
        ways[state](person)
    assert person.menu.state == state
    return person


@pytest.mark.parametrize("key", KEY_NAMES)
@pytest.mark.parametrize("state", TABLE)
def test_every_key_in_every_state_does_what_its_row_says(state: str, key: str) -> None:
    person = at_state(state)
    waiting, languages = len(person.jobs), person.languages
    row = TABLE[state].get("digit" if key.isdigit() else key)
    person.press(key)
    after = person.menu.state
    assert after in TABLE
    if key == "language" and state != WORKING:
        assert (after, person.languages) == (state, languages + 1)
    elif row is None:
        assert after == state
        assert len(person.jobs) == waiting
    elif row[1] in TABLE:
        assert after in (row[1], "NO_SETTLEMENTS", "BUSY", "OVER_MENU_LIMIT", state)
    if after not in (CLOSED, WORKING, state, "BALANCE"):
        assert person.shown[-1][0] == after
    assert len(person.jobs) <= waiting + 1


@given(st.lists(st.one_of(st.sampled_from(KEY_NAMES), st.sampled_from(["serve", "fail", "wait"]))))
def test_whatever_is_pressed_one_job_at_a_time_and_always_a_way_out(events: list[str]) -> None:
    person = Person()
    for each in events:
        if each in ("serve", "fail"):
            person.serve("SERVED" if each == "serve" else "NO_CARD")
        elif each == "wait":
            person.rest(1)
        else:
            person.press(each)
        assert len(person.jobs) <= 1
        assert person.menu.state in TABLE
        assert (person.menu.state == WORKING) == bool(person.jobs)
    for work in person.done:
        if isinstance(work, Request):
            assert 0 < work.account_fen == work.total_fen <= 20_000
    assert len({w.order_no for w in person.done if isinstance(w, Request)}) == sum(
        isinstance(each, Request) for each in person.done
    )
    person.serve()
    person.rest(21)
    assert person.menu.state == CLOSED
    assert person.menu._settlements == []


# -- single ways -----------------------------------------------------------------------------------


def test_without_amount_entry_there_is_no_such_item() -> None:
    person = Person(Rules(False, None, 20.0))
    seen = [person.press("menu")] + [person.press("down") for _ in range(3)]
    assert seen == [each for each in ITEMS if each != "MENU_AMOUNT"]
    assert person.press("down") == "MENU_BALANCE"
    assert person.press("up") == "MENU_LANGUAGE"


def test_without_a_menu_only_the_language_key_works() -> None:
    person = Person(None)
    assert person.press(*KEY_NAMES) == CLOSED
    assert (person.languages, person.shown, len(person.jobs)) == (1, [], 0)


def test_the_amount_as_it_is_typed() -> None:
    person = Person()
    person.press("menu", "4", "confirm", "1", "2", "0", "5", "clear", "8", "6", "5", "0")
    amounts = [fields["amount"] for name, fields in person.shown if name == "ENTER_AMOUNT"]
    assert amounts == ["0.00", "0.01", "0.12", "1.20", "12.05", "0.00", "0.08", "0.86", "8.65",
                       "86.50"]  # fmt: skip
    assert person.press("confirm") == WORKING
    person.serve("APPROVED")
    (paid,) = person.done
    assert paid == Request("menu-7-1-1795320000", "menu", 8650, 0, 0)
    assert person.menu.state == CLOSED, "the result stands on the screen by itself"


def test_nothing_and_too_much_are_not_paid() -> None:
    person = Person()
    assert person.press("menu", "4", "confirm", "confirm") == "ENTER_AMOUNT"
    assert person.press(*"20001", "confirm") == "OVER_MENU_LIMIT"
    assert person.shown[-1] == ("OVER_MENU_LIMIT", {"amount": "200.00"})
    assert person.press("confirm", *"20000", "confirm") == WORKING
    assert person.press("menu") == WORKING
    many = Person()
    many.press("menu", "4", "confirm", *("9" * 30))
    assert many.shown[-1][1] == {"amount": "999999.99"}


def test_the_settlements_are_browsed_from_the_newest() -> None:
    person = at_state("BALANCE")
    seen = []
    for key in ("down", "down", "down", "down", "up"):
        person.press(key)
        seen.append(person.shown[-1][1]["number"])
    assert seen == ["1", "2", "3", "3", "2"]
    assert person.shown[-1][1] == {"number": "2", "at": "26-11-22 09:30", "amount": "12.34"}
    assert person.press("cancel") == CLOSED
    assert person.menu._settlements == [], "nothing of the card is kept"


def test_it_closes_by_itself_after_its_time_without_a_key() -> None:
    for state in set(TABLE) - {CLOSED, WORKING}:
        person = at_state(state)
        person.rest(19)
        assert person.menu.is_open, state
        person.press("0")
        person.rest(19)
        assert person.menu.is_open, state
        person.rest(2)
        assert not person.menu.is_open, state


def test_a_host_s_job_closes_it_and_one_that_waits_makes_it_busy() -> None:
    person = at_state("ENTER_AMOUNT")
    person.jobs.submit(ServiceCall("balance"))
    assert person.press("confirm") == "BUSY"
    person.serve()
    assert person.menu.state == CLOSED
    assert len(person.done) == 1
    person = at_state(WORKING)
    person.jobs.submit(ServiceCall("balance"))
    person.serve()
    assert person.menu.state == CLOSED, "the screen is the host's"
    assert len(person.done) == 2


def test_a_job_of_the_person_is_not_cancelled_by_a_host() -> None:
    jobs = Jobs()
    jobs.submit(ServiceCall("balance"), at_unit=True)
    job = jobs.take()
    assert jobs.cancel() is False
    jobs.submit(ServiceCall("balance"))
    assert jobs.cancel() is True
    assert not job.is_cancelled
    jobs.cancel_at_unit()
    assert job.is_cancelled
    assert isinstance(job, Job)


def test_a_pad_that_is_gone_is_left_alone_for_a_while_and_comes_back() -> None:
    person = Person()
    asked: list[float] = []
    press = person.menu._press

    def broken(seconds: float, interrupted: Callable[[], bool]) -> str | None:
        asked.append(person.now)
        raise OSError("unplugged")

    person.menu._press = broken
    person.rest(25)
    assert len(asked) == 3, "it neither spins nor makes the loop wait for the pad each time"
    assert person.now > 20
    person.menu._press = press
    person.rest(menus.RETRY_S)
    assert person.press("menu") == "MENU_BALANCE"


def test_a_person_at_the_unit_comes_behind_nobody() -> None:
    """A host's payment may come between the last look at the queue and the key."""
    jobs = Jobs()
    assert jobs.submit(ServiceCall("balance"), at_unit=True)
    assert jobs.submit(ServiceCall("balance"), at_unit=True) is None
    assert jobs.submit(ServiceCall("balance"))
