"""Signed stops of one unit (docs/records.md, signed files): no payment begins there, and it says
why."""

from __future__ import annotations

from firmware.journal.signedfile import UNITSTOP, make_signed_file
from office.folder import Folder

UNIT, STOPPED, REASON = 1, 2, 3
"""Keys of the body."""


def sign(folder: Folder, unit: str, is_stopped: bool, reason: str, now_ms: int) -> bytes:
    """A new signed file, higher than every one before; its bytes."""
    store = folder.store
    with store.transaction():
        row = store.row("SELECT max(number) FROM signed_files WHERE what = ?", UNITSTOP)
        number = (row[0] if row and row[0] else 0) + 1
        body = {UNIT: unit, STOPPED: is_stopped, REASON: reason}
        raw = make_signed_file(
            what=UNITSTOP, number=number, issued_ms=now_ms, body=body, signer=folder.signer
        )
        store.write("INSERT INTO signed_files VALUES (?, ?, ?)", UNITSTOP, number, raw)
    return raw
