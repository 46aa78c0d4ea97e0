"""What stands on the counter: a region's cards and PSAMs, three slots, a holder at the PIN pad."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

from simulator import misbehaviour
from simulator.holder import Holder
from simulator.region import Region
from simulator.slot import SimulatedSlot

SLOT_NAMES = ("user", "contactless", "psam")

MISBEHAVIOURS = {
    function.__name__: function
    for function in (
        misbehaviour.garbage,
        misbehaviour.short,
        misbehaviour.long,
        misbehaviour.endless_61,
        misbehaviour.answers,
        misbehaviour.refuses,
        misbehaviour.wrong_internal_authentication,
        misbehaviour.wrong_mac2,
        misbehaviour.mute_before,
        misbehaviour.mute_after,
    )
}


class World:
    """path: the state file, written after every exchange that changed a card; None keeps nothing.

    slots: by name of SLOT_NAMES.  A chip is a card or a PSAM, known by its label ("card-1").
    """

    def __init__(self, region: Region, path: Path | None = None):
        self.region = region
        self.holder = Holder()
        self.lock = threading.RLock()
        self._path = path
        self._wrapped: dict[str, misbehaviour.Misbehaving] = {}
        self.slots = {name: SimulatedSlot(name, self.lock, self.save) for name in SLOT_NAMES}

    def slot(self, name: str) -> SimulatedSlot:
        """Raises ValueError naming the slots there are."""
        if name not in self.slots:
            raise ValueError(f"no slot {name!r}; there are {', '.join(self.slots)}")
        return self.slots[name]

    def chip(self, label: str) -> Any:
        """The card or PSAM, with its misbehaviour; raises ValueError naming those there are."""
        chips = self.region.cards | self.region.psams
        if label not in chips:
            raise ValueError(f"no chip {label!r}; there are {', '.join(chips) or 'none'}")
        return self._wrapped.get(label, chips[label])

    def slot_of(self, label: str) -> str | None:
        """The slot the chip is in, or None."""
        for name, slot in self.slots.items():
            if any(chip.label == label for chip in slot.cards):
                return name
        return None

    def insert(self, slot_name: str, label: str) -> None:
        """Put a chip in; a card with an antenna speaks T=CL in the contactless slot, T=0 elsewhere.

        Raises ValueError: unknown slot or label, the chip is in a slot, it has no antenna.
        """
        with self.lock:
            slot, chip = self.slot(slot_name), self.chip(label)
            elsewhere = self.slot_of(label)
            if elsewhere is not None:
                raise ValueError(f"{label} is in slot {elsewhere}: remove it first")
            in_field = slot_name == "contactless"
            card = self.region.cards.get(label)
            if in_field and (card is None or not card.memory.contactless):
                raise ValueError(f"{label} has no antenna: issue it with contactless=true")
            if card is not None:
                card.contactless = in_field
            slot.insert(chip)

    def misbehave(self, label: str, how: str | None, **parameters: Any) -> None:
        """From its next insertion the chip behaves as that function of misbehaviour.py; None: well.

        Raises ValueError naming the ways there are, TypeError for parameters of another way.
        """
        with self.lock:
            self._wrapped.pop(label, None)
            chip = self.chip(label)
            if how is None:
                return
            if how not in MISBEHAVIOURS:
                raise ValueError(f"no misbehaviour {how!r}; there are {', '.join(MISBEHAVIOURS)}")
            self._wrapped[label] = MISBEHAVIOURS[how](chip, **parameters)

    def save(self) -> None:
        """Write the region's state to its file, if it has one."""
        if self._path is not None:
            with self.lock:
                self.region.save(self._path)
