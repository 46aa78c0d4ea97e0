"""Issue "The technician": a card pulled out, a reader unplugged, in the image's own daemons."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from simulator.slot import AFTER, BEFORE, Cut
from tests.machine.conftest import States
from tests.machine.unit import FINAL, PAY_S, USER, Unit
from tests.torn import DEBIT

At = Callable[[Path], Unit]
CASES = pytest.mark.parametrize(
    ("when", "state", "done"), [(AFTER, "DONE", 1), (BEFORE, "VOID", 0)]
)


@CASES
def test_a_card_pulled_out_in_mid_payment_and_back_at_once(
    states: States, at: At, when: str, state: str, done: int
) -> None:
    """The unit asks for it; the payment itself ends with what became of it."""
    unit = at(states.ready)
    unit.insert()
    unit.world.slot("user").arm(Cut(DEBIT, when=when))
    paying = unit.begin_order("ORDER-1")
    unit.wait_screen("PUT_CARD_BACK")
    assert not unit.world.slot("user").cards
    unit.insert()
    assert paying.result(PAY_S)["state"] == state
    unit.remove()
    unit.pull()
    unit.check_money(done)


@pytest.mark.long
@CASES
def test_a_card_pulled_out_in_mid_payment_and_back_when_it_was_given_up(
    states: States, at: At, when: str, state: str, done: int
) -> None:
    unit = at(states.ready)
    unit.insert()
    unit.world.slot("user").arm(Cut(DEBIT, when=when))
    told = unit.pay("ORDER-1")
    assert told["state"] not in FINAL, told
    assert not unit.world.slot("user").cards, told
    unit.insert()
    assert unit.settled("ORDER-1")["state"] == state
    unit.remove()
    unit.pull()
    unit.check_money(done)


def test_a_reader_unplugged_is_missed_and_serves_again_when_it_is_back(
    states: States, at: At
) -> None:
    unit = at(states.ready)
    unit.pull_out(USER)
    unit.wait_screen("READER_MISSING")
    unit.plug_in(USER)
    unit.wait_screen("READY")
    unit.insert()
    assert unit.pay("ORDER-1")["state"] == "DONE"
    unit.remove()
    unit.pull()
    unit.check_money(1)
