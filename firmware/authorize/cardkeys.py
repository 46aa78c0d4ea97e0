"""Proving the terminal to a card with any of its keys, by the key's name (card/keys.py)."""

from __future__ import annotations

from firmware.authorize.unit import Unit
from firmware.authorize.visit import Visit, external_authenticate
from firmware.outcome import Fault, Outcome, StatusError, outcome
from firmware.psam import keytable
from firmware.psam.keytable import PsamKey
from firmware.psam.session import PsamFault


class KeyRefused(Fault):
    """key: its name.  outcome: PSAM_KEY_MISSING, or CARD_REFUSED_TERMINAL."""

    def __init__(self, key: str, what: str, result: Outcome):
        super().__init__(f"{key}: {what}")
        self.key = key
        self.outcome = result


def authenticate(unit: Unit, visit: Visit, name: str) -> None:
    """EXTERNAL AUTHENTICATE with that key of the card.  Raises KeyRefused, other Faults as such.

    A key without a published reference, PSAM id or usage is one that this terminal lacks.
    """
    held, reference = _held(unit, name), unit.region.reference(name)
    if held is None or reference is None:
        raise KeyRefused(name, "no terminal holds it", outcome("PSAM_KEY_MISSING"))
    try:
        external_authenticate(unit, visit, held, reference)
    except StatusError as error:
        raise KeyRefused(name, error.what, outcome("CARD_REFUSED_TERMINAL")) from None
    except PsamFault as error:
        if error.name != "PSAM_KEY_MISSING":
            raise
        raise KeyRefused(name, error.what, outcome(error.name)) from None


def _held(unit: Unit, name: str) -> PsamKey | None:
    """The region's own table first (M7), then the published one."""
    for row in unit.region.keys:
        if row.name == name and row.psam_id is not None and row.psam_type is not None:
            return PsamKey(name, row.psam_id, row.psam_type, row.factors or 1)
    return keytable.BY_NAME.get(name)


def can_authenticate(unit: Unit, visit: Visit, name: str) -> bool:
    """As `authenticate`; False where it raises KeyRefused."""
    try:
        authenticate(unit, visit, name)
    except KeyRefused:
        return False
    return True
