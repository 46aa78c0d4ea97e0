"""M14: every switch value of the simulator, and under it a cut before and after every exchange.

One test for each value; within it a fresh card for each cut: of the card, of the PSAM, of the
process, and of the recovery that follows a cut.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from simulator.slot import AFTER, BEFORE, Cut
from simulator.switches import Switches
from tests.rig import Rig
from tests.torn import (
    DEBIT,
    PAID,
    START_FEN,
    Killed,
    debits,
    kill_at,
    pay_torn,
    put_back,
    revive,
    settle,
)

LIMITS = {"\nday_fen = 1000000": "\nday_fen = 100000000"}
VALUES = [pytest.param(each, id=repr(each.changed())) for each in dict.fromkeys(Switches.every())]


def exchanges(rig: Rig, slot: str, card: Any) -> int:
    """Of one whole payment under these switches."""
    rig.world.slot(slot).reset_counters()
    assert rig.pay(*PAID).name == "APPROVED"
    assert card.balance_fen == START_FEN - PAID[0]
    return rig.world.slot(slot).counters.exchanges


def next_card(rig: Rig, serial: int, switches: Switches) -> Any:
    rig.user.remove()
    rig.world.holder.forget()
    rig.exchanges.clear()
    return rig.card(serial, switches=switches)


@pytest.mark.parametrize("switches", VALUES)
@pytest.mark.parametrize("slot", ["user", "psam"])
def test_m14_torn_at_every_exchange_under_every_switch(
    tmp_path: Path, switches: Switches, slot: str
) -> None:
    rig = Rig(tmp_path, edit=LIMITS)
    psam = rig.psam(switches=switches)
    count = exchanges(rig, slot, rig.card(1, switches=switches))
    serial = 1
    for when in (BEFORE, AFTER):
        for nth in range(1, count + 1):
            serial += 1
            card = next_card(rig, serial, switches)
            pay_torn(rig, card if slot == "user" else psam, Cut(None, nth, when), slot)
            paid = card.balance_fen != START_FEN
            state = rig.result()["state"]
            assert (state == "DONE") == paid, (when, nth)
            assert state in ("DONE", "VOID", "DECLINED"), (when, nth)
            assert debits(rig) <= 1
    assert rig.unit.journal.open_intents() == []


@pytest.mark.parametrize("switches", VALUES)
def test_m14_torn_again_while_it_recovers_under_every_switch(
    tmp_path: Path, switches: Switches
) -> None:
    rig = Rig(tmp_path, edit=LIMITS)
    rig.psam(switches=switches)
    for nth in range(1, 21):
        card = next_card(rig, nth, switches)
        when = BEFORE if nth % 2 else AFTER
        rig.user.arm(Cut(DEBIT, 1, when))
        rig.hands.later(0.3, put_back(rig, card))
        rig.hands.later(0.3, lambda nth=nth: rig.user.arm(Cut(None, nth, AFTER)))
        rig.hands.later(0.8, put_back(rig, card))
        rig.pay(*PAID)
        rig.hands.wait(1)
        rig.user.disarm()
        assert rig.result()["state"] == ("VOID" if when == BEFORE else "DONE"), nth
        assert (card.balance_fen == START_FEN) == (when == BEFORE), nth


@pytest.mark.parametrize("switches", VALUES)
def test_m14_the_process_killed_at_every_exchange_under_every_switch(
    tmp_path: Path, switches: Switches
) -> None:
    rig = Rig(tmp_path, edit=LIMITS)
    rig.psam(switches=switches)
    rig.card(1, switches=switches)
    count = sum(exchanges_of_both(rig))
    for nth in range(1, count + 1):
        card = next_card(rig, nth + 1, switches)
        rig.unit.psam.start()
        kill_at(rig, nth, BEFORE if nth % 2 else AFTER)
        with pytest.raises(Killed):
            rig.pay(*PAID)
        revive(rig)
        settle(rig)
        assert rig.unit.journal.open_intents() == [], nth
        done = [
            each for each in rig.unit.journal.by_order(rig.order_no) if each.kind_name == "DONE"
        ]
        assert len(done) == int(card.balance_fen != START_FEN), nth


def exchanges_of_both(rig: Rig) -> tuple[int, int]:
    """Card's and PSAM's of one whole payment."""
    rig.unit.psam.start()
    slots = rig.user, rig.world.slot("psam")
    for slot in slots:
        slot.reset_counters()
    assert rig.pay(*PAID).name == "APPROVED"
    return slots[0].counters.exchanges, slots[1].counters.exchanges
