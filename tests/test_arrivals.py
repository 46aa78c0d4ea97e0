"""An empty terminal is woken by its readers (issue: "insert to APDU", "idle CPU"), or asks them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from firmware import terminal
from firmware.authorize import arrivals
from firmware.authorize.arrivals import EMPTY_S, POLL_S, Rest
from firmware.authorize.jobs import Jobs
from firmware.outcome import TransportError
from firmware.terminal import Terminal
from tests.loop_rig import Loop, issue, with_psam
from tests.waiting import SOON_S, until


@pytest.fixture
def loop(tmp_path: Path) -> Loop:
    return with_psam(tmp_path)


class Told:
    """Gives every reader of the loop a way to tell, and records how long the loop rests."""

    def __init__(self, loop: Loop):
        self.wakes: list[Callable[[], None]] = []
        self.rests: list[tuple[float, float]] = []
        for reader in loop.unit.readers:
            reader.when_changed = self.wakes.append  # type: ignore[attr-defined]
        rest = loop.hands.wait

        def wait(seconds: float) -> None:
            self.rests.append((loop.hands.now_s, seconds))
            rest(seconds)

        loop.terminal = Terminal(loop.unit, loop.inbox, loop.jobs, wait)

    def between(self, begin_s: float, end_s: float) -> set[float]:
        return {rest for at_s, rest in self.rests if begin_s <= at_s < end_s}


def test_an_empty_terminal_rests_until_it_is_told(loop: Loop) -> None:
    told = Told(loop)
    loop.run(5)
    assert len(told.wakes) == len(loop.unit.readers) == 2
    assert told.between(terminal.RESULT_S, 5) == {EMPTY_S}


def test_while_a_card_is_in_or_a_result_stands_it_looks_often(loop: Loop) -> None:
    told = Told(loop)
    card = issue(loop)
    loop.plan(4.5, loop.insert(card.label))
    loop.plan(8.5, loop.remove())
    loop.run(20)
    assert told.between(5, 8.5) == {POLL_S}
    assert told.between(12, 20) == {EMPTY_S}


def test_one_reader_that_cannot_tell_is_asked_often(loop: Loop) -> None:
    told = Told(loop)
    del loop.unit.readers[0].when_changed  # type: ignore[attr-defined]
    loop.run(5)
    assert len(told.wakes) == 1
    assert told.between(0, 5) == {POLL_S}


def test_a_reader_that_is_gone_is_not_asked_often_for_it_tells_when_it_is_back(loop: Loop) -> None:
    told = Told(loop)
    reader = loop.unit.readers[0]
    there = reader.cards_in_reach

    def gone() -> int:
        raise TransportError("the reader is unplugged")

    loop.plan(2.5, lambda: setattr(reader, "cards_in_reach", gone))
    loop.plan(8.5, lambda: setattr(reader, "cards_in_reach", there))
    assert loop.run(12) == ["READY", "READER_MISSING", "READY"]
    assert told.between(terminal.RESULT_S, 12) == {EMPTY_S}


@pytest.mark.parametrize(
    ("is_open", "is_empty", "tells", "rest_s"),
    [
        (False, True, True, EMPTY_S),
        (True, True, True, POLL_S),
        (False, False, True, POLL_S),
        (False, True, False, POLL_S),
    ],
)
def test_a_menu_that_is_closed_listens_as_long(
    is_open: bool, is_empty: bool, tells: bool, rest_s: float
) -> None:
    rests: list[float] = []
    menu = SimpleNamespace(is_open=is_open, rest=rests.append)
    reader = SimpleNamespace(**({"when_changed": lambda tell: None} if tells else {}))
    rest = Rest(lambda seconds: pytest.fail("the menu passes the time"), menu)
    rest.listen([reader], lambda: None)
    rest.until_the_next_look(is_empty)
    assert rests == [rest_s]


def test_what_is_told_ends_the_rest_at_once(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    """In real time: a rest of a minute, a card after a part of it."""
    wakes: list[Callable[[], None]] = []
    for reader in loop.unit.readers:
        reader.when_changed = wakes.append  # type: ignore[attr-defined]
    loop.unit.monotonic = time.monotonic
    monkeypatch.setattr(arrivals, "EMPTY_S", SOON_S)
    jobs = Jobs()
    loop.terminal = Terminal(loop.unit, loop.inbox, jobs)
    passed: list[float] = []

    def person() -> None:
        until(lambda: loop.terminal.state == "idle" and "READY" in loop.shown)
        time.sleep(0.2)  # the loop rests
        began = time.monotonic()
        loop.insert(card.label)()
        wakes[0]()
        until(lambda: "CARD_READ" in loop.shown)
        passed.append(time.monotonic() - began)
        loop.terminal.stop()
        wakes[0]()

    card = issue(loop)
    thread = threading.Thread(target=person)
    thread.start()
    loop.terminal.run()
    thread.join(SOON_S)
    assert passed
    assert passed[0] < SOON_S / 2
