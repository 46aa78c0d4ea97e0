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
    """Until the end, at random moments about so far apart, where something was written since the
    last: its disk files, as they come."""
    copies: list[Path] = []
    done = threading.Event()

    def copy() -> None:
        dice = random.Random(machine.folder.name)
        seen = _writes(machine.disk)
        while len(copies) < MOST and not done.wait(dice.uniform(0, 2 * between_s)):
            if (now := _writes(machine.disk)) == seen:
                continue
            seen, target = now, folder / f"cut-{len(copies)}.qcow2"
            machine.copy_disk(target)
            copies.append(target)

    hand = threading.Thread(target=copy, daemon=True)
    hand.start()
    try:
        yield copies
    finally:
        done.set()
        hand.join()


def _writes(file: Path) -> tuple[int, int]:
    """Another one after each write."""
    told = file.stat()
    return told.st_mtime_ns, told.st_blocks
