"""Issue "The technician": at least 20 kills of the machine during purchases with nothing lost.

What the machine wrote and did not flush may go with it: QEMU keeps the tables of its disk file in
memory until a flush (docs/power-cuts.md has what a card does beside that).  Each start after a kill
goes on from a machine that had not read anything of /data.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from pathlib import Path

from tests.conftest import COUNTED
from tests.machine.conftest import States
from tests.machine.unit import Unit
from tests.machine.wire import Closed

At = Callable[[Path], Unit]
KILLS = 20
EXCHANGES = 45
"""With card and PSAM in one payment: 29 and 16."""
LONGEST_S = 0.15


def test_no_kill_of_the_machine_loses_or_doubles_a_payment(
    states: States, at: At, record_property
) -> None:
    dice = random.Random(20)
    unit = at(states.cold)
    done, moments = 0, []
    unit.warm_up()
    unit.wait_ready()
    for number in range(1, KILLS + 1):
        moments.append(kill_in_payment(unit, f"ORDER-{number}", dice))
        unit.remove()
        unit.start(states.cold)
        unit.warm_up()
        unit.wait_ready()
        unit.insert()
        done += unit.settled(f"ORDER-{number}")["state"] == "DONE"
        unit.remove()
        unit.wait_screen("READY")
    unit.pull()
    unit.check_money(done)
    record_property(COUNTED, f"{KILLS} kills after so many exchanges: {moments}; {done} done")


def kill_in_payment(unit: Unit, order: str, dice: random.Random) -> int:
    """At a random moment; after so many exchanges with card and PSAM."""
    slots = [unit.world.slot(name) for name in ("user", "psam")]
    for each in slots:
        each.reset_counters()
    wanted, more_s = dice.randint(1, EXCHANGES), dice.uniform(0, LONGEST_S)
    answered = threading.Event()

    def pay() -> None:
        try:
            unit.pay(order)
        except Closed:
            pass
        finally:
            answered.set()

    unit.insert()
    threading.Thread(target=pay, daemon=True).start()
    while sum(each.counters.exchanges for each in slots) < wanted and not answered.is_set():
        time.sleep(0.001)
    time.sleep(more_s)
    unit.cut_power()
    assert answered.wait(60)
    return sum(each.counters.exchanges for each in slots)
