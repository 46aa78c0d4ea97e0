"""Issue "The technician": at least 20 kills of the machine during purchases with nothing lost.

What the machine wrote and did not flush may go with it: QEMU keeps the tables of its disk file in
memory until a flush (docs/power-cuts.md has what a card does beside that).  Each start after a kill
goes on from a machine that had not read anything of /data.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path

from simulator.slot import AFTER, BEFORE
from tests.conftest import COUNTED
from tests.machine.conftest import States
from tests.machine.unit import USER, Unit
from tests.machine.wire import Closed
from tests.torn import DEBIT

At = Callable[[Path], Unit]
EXCHANGES = 45
"""With card and PSAM in one payment: 29 and 16."""
LONGEST_S = 0.05
ENDED_S = 60.0
AT_DEBIT = {1: BEFORE, 3: AFTER}
SETTLED = {BEFORE: "VOID", AFTER: "DONE"}


def test_no_kill_of_the_machine_loses_or_doubles_a_payment(
    states: States, at: At, kills: int, record_property
) -> None:
    dice = random.Random(20)
    unit = at(states.cold)
    unit.warm_up("sscterm-card")
    unit.wait_ready()
    done, told = 0, []
    for number in range(1, kills + 1):
        order = f"ORDER-{number}"
        at_debit = AT_DEBIT.get(number % 4)
        exchanges, answer = kill_in_payment(unit, order, dice, at_debit)
        unit.start(states.cold)
        unit.warm_up("sscterm-card")
        unit.wait_ready()
        unit.insert()
        state = unit.settled(order)["state"]
        assert answer in (None, state), order
        assert at_debit is None or state == SETTLED[at_debit], order
        done += state == "DONE"
        told.append(f"{exchanges} {state}{' as told' if answer else ''}")
        unit.remove()
        unit.wait_screen("READY")
    unit.warm_up("sscterm-uplink")
    unit.pull()
    unit.check_money(done)
    record_property(COUNTED, f"{kills} kills, each after so many exchanges: {', '.join(told)}")


def kill_in_payment(
    unit: Unit, order: str, dice: random.Random, at_debit: str | None
) -> tuple[int, str | None]:
    """While DEBIT is under way, BEFORE or AFTER the card did it; None: at a random moment.

    After how many exchanges with card and PSAM, and the state that the cash register was told
    before, if it was.
    """
    slots = [unit.world.slot(name) for name in ("user", "psam")]
    for each in slots:
        each.reset_counters()
    wanted, more_s = dice.randint(1, EXCHANGES), dice.uniform(0, LONGEST_S)
    unit.insert()
    if at_debit is not None:
        slots[USER].hold(DEBIT, at_debit)
        paying = unit.begin_order(order)
        assert slots[USER].wait_held(ENDED_S)
    else:
        paying = unit.begin_order(order)
        while sum(each.counters.exchanges for each in slots) < wanted and not paying.done():
            time.sleep(0.001)
        time.sleep(more_s)
    unit.machine.kill()
    exchanges = sum(each.counters.exchanges for each in slots)
    slots[USER].remove()
    unit.cut_power()
    try:
        return exchanges, paying.result(ENDED_S)["state"]
    except Closed:
        return exchanges, None
