"""An office's encryption key for a unit under test, and the values it opens."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from firmware.authorize.unit import Unit
from firmware.journal import sealed
from firmware.journal.kinds import KEY_KEY_NO, KEY_SEALED, KEY_WRAPPED, KIND_DAY_KEY, KIND_SERVICE

PRIVATE = bytes(range(1, 33))
PUBLIC = sealed.public_of(PRIVATE)


def give_key(unit: Unit) -> None:
    """As a second line of office.pub does."""
    unit.office_keys = replace(unit.office_keys, sealing=PUBLIC)


def opened(unit: Unit) -> list[dict[str, Any]]:
    """What the SERVICE records hold for the office alone, in order; {} for none."""
    unit.journal.flush()
    records = unit.journal.records(0, 1000)
    wrapped = {e.body[KEY_KEY_NO]: e.body[KEY_WRAPPED] for e in records if e.kind == KIND_DAY_KEY}
    found = []
    for each in (each for each in records if each.kind == KIND_SERVICE):
        if KEY_SEALED not in each.body:
            found.append({})
            continue
        day_key = sealed.unwrap(wrapped[each.body[KEY_KEY_NO]], PRIVATE, each.unit)
        values = sealed.open_sealed(each.body[KEY_SEALED], day_key, each.unit, each.number)
        found.append(values)
    return found
