"""The PSAM's serial, journaled at start, after each power-up and after each torn purchase."""

from __future__ import annotations

from firmware.authorize import limits
from firmware.authorize.unit import Unit
from firmware.journal import kinds as rec
from firmware.outcome import Outcome, outcome
from firmware.psam.session import PsamFault, PsamIdentity

LOOK_S = 10.0


class PsamWatch:
    """Notices a PSAM that left, came back or was exchanged while the terminal runs."""

    def __init__(self, unit: Unit):
        self._unit = unit
        self._noted: PsamIdentity | None = None
        self._due_at = 0.0
        self.refused: Outcome | None = None
        """Why the PSAM of the last look serves no payment; None: it does."""

    def look(self) -> Outcome | None:
        """`refused`, after asking the PSAM; one that came is powered up and journaled."""
        self._due_at = self._unit.monotonic() + LOOK_S
        psam = self._unit.psam
        try:
            if psam.is_up:
                psam.select(psam.algorithms[0])
        except PsamFault:
            psam.drop()  # it left or was exchanged: find out which
        was_up = psam.is_up
        try:
            self.refused = limits.check_psam(self._unit)
        except PsamFault as fault:
            psam.drop()
            self.refused = outcome(fault.name)
        is_new = not was_up or psam.identity != self._noted
        if is_new and psam.is_up and psam.identity is not None:
            note_serial(self._unit)
            self._noted = psam.identity
        return self.refused

    def look_if_due(self) -> None:
        """LOOK_S after the last look, whoever asked for that."""
        if self._unit.monotonic() >= self._due_at:
            self.look()


def note_serial(unit: Unit) -> None:
    """PSAM_SEEN with the serial (0019) of each environment, and whether the records explain it.

    Whether the serial moves at INIT SAM or at CREDIT SAM is not known, and an INIT SAM before an
    INTENT leaves no record: a step of one is explained, a larger one is for the office to see.
    """
    psam = unit.psam
    try:
        if not psam.is_up:
            psam.start(unit.board.purchase.dpk_factors)
        for algorithm in psam.algorithms:
            psam.select(algorithm)
            if psam.identity is not None:
                _note(unit, algorithm, psam.identity.terminal, psam.read_serial())
        psam.select(psam.algorithms[0])
    except PsamFault:
        psam.drop()  # a missing PSAM is an outcome of its own at the next payment


def _note(unit: Unit, algorithm: int, terminal: bytes, serial: bytes) -> None:
    last = unit.journal.last_terminal_serial(terminal, algorithm)
    step = 0 if last is None else _step(last[0], serial)
    body: dict[int, object] = {
        rec.KEY_TERMINAL: terminal,
        rec.KEY_TERMINAL_SERIAL: serial,
        rec.KEY_EXPLAINED: step in (0, 1),
        rec.KEY_ALGORITHM: algorithm,
    }
    if step not in (0, 1):
        body[rec.KEY_DETAIL] = f"{step} steps on from the last record's"
    unit.journal.append(rec.KIND_PSAM_SEEN, body, ride=True)


def _step(before: bytes, now: bytes) -> int:
    return (int.from_bytes(now, "big") - int.from_bytes(before, "big")) & 0xFFFFFFFF
