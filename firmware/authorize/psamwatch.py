"""The PSAM's serial, journaled at start, after each power-up and after each torn purchase."""

from __future__ import annotations

from firmware.authorize.unit import Unit
from firmware.journal import record as rec
from firmware.psam.session import PsamFault


def note_serial(unit: Unit) -> None:
    """PSAM_SEEN with the serial (0019), and whether the records explain it.

    Whether the serial moves at INIT SAM or at CREDIT SAM is not known, and an INIT SAM before an
    INTENT leaves no record: a step of one is explained, a larger one is for the office to see.
    """
    try:
        if not unit.psam.is_up:
            unit.psam.start(unit.board.purchase.dpk_factors)
        else:
            unit.psam.select(1)
        identity = unit.psam.identity
        if identity is None:
            return
        serial = unit.psam.read_serial()
    except PsamFault:
        return  # a missing PSAM is an outcome of its own at the next payment
    last = unit.journal.last_terminal_serial(identity.terminal)
    step = 0 if last is None else _step(last[0], serial)
    unit.journal.append(
        rec.KIND_PSAM_SEEN,
        {
            rec.KEY_TERMINAL: identity.terminal,
            rec.KEY_TERMINAL_SERIAL: serial,
            rec.KEY_EXPLAINED: step in (0, 1),
        },
        ride=True,
    )


def _step(before: bytes, now: bytes) -> int:
    return (int.from_bytes(now, "big") - int.from_bytes(before, "big")) & 0xFFFFFFFF
