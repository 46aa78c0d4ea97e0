"""Signed stops of one unit (docs/records.md, signed files): no payment begins there, and it says
why."""

from __future__ import annotations

from firmware.journal.signedfile import UNITSTOP
from office import signedfiles
from office.folder import Folder

UNIT, STOPPED, REASON = 1, 2, 3
"""Keys of the body."""


def sign(folder: Folder, unit: str, is_stopped: bool, reason: str, now_ms: int) -> bytes:
    """A new signed file, higher than every one before; its bytes."""
    with folder.store.transaction():
        body = {UNIT: unit, STOPPED: is_stopped, REASON: reason}
        return signedfiles.sign(folder, UNITSTOP, body, now_ms)
