"""M14: every switch value of the simulator, and under it a cut before and after every exchange.

One test for each value; within it a fresh card for each cut of the card, then of the PSAM.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from simulator.slot import AFTER, BEFORE, Cut
from simulator.switches import Switches
from tests.rig import Rig
from tests.torn import PAID, START_FEN, debits, pay_torn

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
