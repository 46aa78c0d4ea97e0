"""M14: a load under every switch value, cut at every exchange, killed there, and torn twice.

One test for each value; within it a fresh card for each cut.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from firmware.authorize.load import result_of
from simulator.slot import AFTER, BEFORE, Cut
from simulator.switches import Switches
from tests.load_rig import AMOUNT_FEN, CREDIT, Host, credits, load
from tests.rig import Rig
from tests.torn import START_FEN, Killed, kill_at, put_back, revive, settle

VALUES = [pytest.param(each, id=repr(each.changed())) for each in dict.fromkeys(Switches.every())]


def next_card(rig: Rig, serial: int, switches: Switches) -> Any:
    rig.user.remove()
    rig.exchanges.clear()
    card = rig.card(serial, switches=switches)
    Host(rig, card)
    return card


def exchanges(rig: Rig, *slots: str) -> int:
    """Of one whole load, at these slots."""
    for name in slots:
        rig.world.slot(name).reset_counters()
    assert load(rig, "L-whole") == "LOADED"
    return sum(rig.world.slot(name).counters.exchanges for name in slots)


def check(rig: Rig, card: Any, order_no: str) -> None:
    """The card's money and the order's state agree, and CREDIT went out once at most."""
    told = result_of(rig.unit.journal.by_order(order_no))
    state = "NONE" if told is None else told["state"]
    is_loaded = card.balance_fen != START_FEN
    assert card.balance_fen == START_FEN + is_loaded * AMOUNT_FEN
    assert state in (("DONE",) if is_loaded else ("VOID", "NONE")), order_no
    assert credits(rig) <= 1, order_no
    assert rig.unit.journal.open_loads() == [], order_no


@pytest.mark.parametrize("switches", VALUES)
@pytest.mark.parametrize("slot", ["user", "psam"])
def test_m14_a_load_torn_at_every_exchange_under_every_switch(
    tmp_path: Path, switches: Switches, slot: str
) -> None:
    rig = Rig(tmp_path)
    psam = rig.psam(switches=switches)
    rig.unit.psam.start()
    next_card(rig, 1, switches)
    count = exchanges(rig, slot)
    for serial in range(2, 2 * count + 2):
        nth, when = serial // 2, (BEFORE, AFTER)[serial % 2]
        card = next_card(rig, serial, switches)
        rig.unit.psam.start()  # the one torn before has lost its power
        rig.world.slot(slot).arm(Cut(None, nth, when))
        rig.hands.later(0.5, put_back(rig, card if slot == "user" else psam, slot))
        load(rig, f"L-{nth}-{when}")
        rig.hands.wait(1)
        rig.world.slot(slot).disarm()
        check(rig, card, f"L-{nth}-{when}")


@pytest.mark.parametrize("switches", VALUES)
def test_m14_the_process_killed_at_every_exchange_of_a_load_under_every_switch(
    tmp_path: Path, switches: Switches
) -> None:
    rig = Rig(tmp_path)
    rig.psam(switches=switches)
    rig.unit.psam.start()
    next_card(rig, 1, switches)
    for nth in range(1, exchanges(rig, "user", "psam") + 1):
        card = next_card(rig, nth + 1, switches)
        rig.unit.psam.start()
        kill_at(rig, nth, BEFORE if nth % 2 else AFTER)
        with pytest.raises(Killed):
            load(rig, f"L-{nth}")
        revive(rig)
        settle(rig)
        check(rig, card, f"L-{nth}")


@pytest.mark.parametrize("switches", VALUES)
def test_m14_a_load_torn_again_while_it_recovers_under_every_switch(
    tmp_path: Path, switches: Switches
) -> None:
    rig = Rig(tmp_path)
    rig.psam(switches=switches)
    for nth in range(1, 17):
        card = next_card(rig, nth, switches)
        rig.user.arm(Cut(CREDIT, 1, BEFORE if nth % 2 else AFTER))
        rig.hands.later(0.3, put_back(rig, card))
        rig.hands.later(0.3, lambda nth=nth: rig.user.arm(Cut(None, nth, AFTER)))
        rig.hands.later(0.8, put_back(rig, card))
        load(rig, f"L-{nth}")
        rig.hands.wait(1)
        rig.user.disarm()
        assert (card.balance_fen == START_FEN) == bool(nth % 2)
        check(rig, card, f"L-{nth}")
