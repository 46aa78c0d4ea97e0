"""Issue "The technician": a card pulled out, a reader unplugged, in the image's own daemons."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from simulator.slot import AFTER, Cut
from tests.machine.conftest import States
from tests.machine.unit import FINAL, USER, Unit
from tests.torn import DEBIT

At = Callable[[Path], Unit]


def test_a_card_pulled_out_in_mid_payment_is_settled_when_it_is_back(
    states: States, at: At
) -> None:
    """The card took DEBIT and left before its answer was seen."""
    unit = at(states.ready)
    unit.insert()
    unit.world.slot("user").arm(Cut(DEBIT, when=AFTER))
    told = unit.pay("ORDER-1")
    assert told["state"] not in FINAL, told
    assert not unit.world.slot("user").cards, told
    unit.insert()
    assert unit.settled("ORDER-1")["state"] == "DONE"
    unit.remove()
    unit.pull()
    unit.check_money(1)


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
