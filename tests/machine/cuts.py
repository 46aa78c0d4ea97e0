"""What cuts of the power would leave of a card, at many moments of one run of the machine."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.machine.vm import Machine

MOST = 60
"""Copies: what the host's disk has room for."""


@contextmanager
def cut(machine: Machine, folder: Path, between_s: float) -> Iterator[list[Path]]:
    """Until the end, at random moments about so far apart: its disk files, as they come."""
    copies: list[Path] = []
    done = threading.Event()

    def copy() -> None:
        dice = random.Random(machine.folder.name)
        while len(copies) < MOST and not done.wait(dice.uniform(0, 2 * between_s)):
            target = folder / f"cut-{len(copies)}.qcow2"
            machine.copy_disk(target)
            copies.append(target)

    hand = threading.Thread(target=copy, daemon=True)
    hand.start()
    try:
        yield copies
    finally:
        done.set()
        hand.join()
