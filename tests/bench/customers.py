"""A line of customers, each with a card of 2.0, before one terminal with its journal on a disk.

`python -m tests.bench.customers FOLDER 20` lets twenty of them pay; syncs.py watches that process.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from firmware.journal import batch
from tests.rig import Rig

PAYMENTS_OF_A_CARD = 40  # below the offline count of 50 that the board of tests/rig.py allows
CHORES_EVERY = 20
# The day of the bench is longer than the day of any pharmacy.
_LIMITS = {"day_fen = 1000000": "day_fen = 100000000"}


class Customers:
    """pays() serves the next one.  The clock is the rig's: no payment waits for its second."""

    def __init__(self, folder: Path, payments: int):
        self.rig = Rig(folder, edit=_LIMITS)
        self.rig.psam()
        self.rig.unit.psam.start()
        cards = -(-payments // PAYMENTS_OF_A_CARD)
        self._labels = [
            self.rig.region.issue_card(serial, balance_fen=100_000).label
            for serial in range(1, cards + 1)
        ]
        self._served = 0

    def pays(self) -> int:
        """One purchase; ns from the request to its result without those inside card and PSAM."""
        slots = self.rig.user, self.rig.world.slot("psam")
        self.rig.user.remove()
        self.rig.world.insert("user", self._labels[self._served % len(self._labels)])
        self._served += 1
        for slot in slots:
            slot.reset_counters()
        started = time.perf_counter_ns()
        result = self.rig.pay()
        total_ns = time.perf_counter_ns() - started
        if result.name != "APPROVED":
            raise RuntimeError(f"payment {self._served}: {result.name}")
        return total_ns - sum(slot.counters.inside_ns for slot in slots)

    def quiet(self) -> None:
        """What the card loop does while no card is in: riders and log to rest, a batch sealed."""
        journal = self.rig.unit.journal
        journal.checkpoint()
        batch.seal(journal)

    def close(self) -> None:
        self.rig.unit.journal.close()


if __name__ == "__main__":
    folder, payments = Path(sys.argv[1]), int(sys.argv[2])
    folder.mkdir(parents=True)
    line = Customers(folder, payments)
    for _ in range(payments):
        line.pays()
    line.close()
