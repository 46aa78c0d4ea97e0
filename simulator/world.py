"""What stands on the counter: a region, three slots and a holder at the PIN pad."""

from __future__ import annotations

import threading
from pathlib import Path

from simulator.holder import Holder
from simulator.region import Region
from simulator.slot import SimulatedSlot

SLOT_NAMES = ("user", "contactless", "psam")


class World:
    """path: the state file, written after every exchange that changed a card; None keeps nothing.

    slots: by name of SLOT_NAMES.
    """

    def __init__(self, region: Region, path: Path | None = None):
        self.region = region
        self.holder = Holder()
        self.lock = threading.RLock()
        self._path = path
        self.slots = {name: SimulatedSlot(name, self.lock, self.save) for name in SLOT_NAMES}

    def slot(self, name: str) -> SimulatedSlot:
        """Raises ValueError naming the slots there are."""
        if name not in self.slots:
            raise ValueError(f"no slot {name!r}; there are {', '.join(self.slots)}")
        return self.slots[name]

    def save(self) -> None:
        """Write the region's state to its file, if it has one."""
        if self._path is not None:
            with self.lock:
                self.region.save(self._path)
