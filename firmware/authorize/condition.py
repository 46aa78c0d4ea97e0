"""The unit's condition: what its screen says while no card is served, and what a host is told."""

from __future__ import annotations

from datetime import date
from typing import Any

from firmware.authorize.limits import is_stop_list_aged, stop_list_hours
from firmware.authorize.unit import Unit, UnitStop
from firmware.clock import TRUST_NAMES, TRUST_NONE
from firmware.journal.cose import key_id
from firmware.journal.schema import JournalError
from firmware.outcome import Outcome

MAX_HOURS_SHOWN = 9999


def idle_message(unit: Unit, psam_refused: Outcome | None) -> tuple[str, dict[str, str]]:
    """READY, or what stands in the way of any payment; message id and its fields."""
    if unit.tamper is not None and unit.tamper.refused is not None:
        return unit.tamper.refused.name, {}
    if unit.is_held:
        return "UPDATING", {}
    if unit.is_stopped:
        return "UNIT_STOPPED", {}
    if psam_refused is not None:
        return psam_refused.name, {}
    if isinstance(unit.stop_list, Outcome):
        return unit.stop_list.name, {}
    if unit.clock.is_behind:
        return "CLOCK_JUMPED_BACK", {}
    if unit.clock.now().trust == TRUST_NONE:
        return "CLOCK_NOT_TRUSTED", {}
    if not unit.journal.has_room:
        return "DISK_FULL", {}
    hours = stop_list_hours(unit)
    age = {"hours": str(min(hours, MAX_HOURS_SHOWN))} if hours is not None else {}
    if is_stop_list_aged(unit):
        return "STOP_LIST_WARNING", age
    days = _psam_days_left(unit)
    if days is not None and days <= unit.board.psam.warn_days:
        return "PSAM_WARNING", {"days": str(days)}
    if unit.board.stop_list.max_age_h is not None:
        return "READY_LIST_AGE", age
    return ("READY" if unit.board.menu is None else "READY_MENU"), {}


def _psam_days_left(unit: Unit) -> int | None:
    """Days until the PSAM's keys expire; None without a PSAM or a date."""
    if unit.psam.identity is None:
        return None
    today = unit.clock.local(unit.clock.now().epoch_ms).date()
    try:
        last = date.fromisoformat(str(unit.psam.identity.valid_until))
    except ValueError:
        return None
    return (last - today).days


def told(unit: Unit) -> dict[str, Any]:
    """JSON-able.  Asks no reader and no PSAM: any thread may call it while a card is served."""
    now = unit.clock.now()
    return {
        "unit": unit.board.unit.id,
        "device_key": key_id(unit.journal.signer.public_key).hex(),
        "psam": _psam(unit),
        "clock": {
            "time": unit.clock.local(now.epoch_ms).isoformat(timespec="seconds"),
            "trust": TRUST_NAMES[now.trust],
            "is_behind": unit.clock.is_behind,
        },
        "case": _case(unit),
        "stop_list": _stop_list(unit),
        "office": _office(unit),
        "journal": _journal(unit),
    }


def _psam(unit: Unit) -> dict[str, Any] | None:
    identity = unit.psam.identity
    if identity is None:
        return None
    return {
        "terminal": identity.terminal.hex(),
        "up": unit.psam.is_up,
        "valid_until": identity.valid_until,
    }


def _case(unit: Unit) -> str | None:
    """None: no switch is wired."""
    if unit.tamper is None:
        return None
    return "shut" if unit.tamper.refused is None else unit.tamper.refused.name


def _stop_list(unit: Unit) -> dict[str, Any]:
    stop_list = unit.stop_list
    if isinstance(stop_list, Outcome):
        return {"refused": stop_list.name}
    return {
        "number": stop_list.number,
        "entries": len(stop_list),
        "age_h": stop_list_hours(unit),
        "aged": is_stop_list_aged(unit),
    }


def _office(unit: Unit) -> dict[str, Any]:
    """What the office's files have set here."""
    signing = unit.office_keys.signing
    stop, update = unit.stop, unit.update
    return {
        "key": None if signing is None else key_id(signing).hex(),
        "key_number": unit.office_keys.number,
        "stopped": unit.is_stopped,
        "stop_reason": stop.reason if isinstance(stop, UnitStop) else None,
        "parameters": unit.parameters,
        "update": None if update is None else update.version,
        "update_sha256": None if update is None else update.digest.hex(),
        "update_size": None if update is None else update.size,
    }


def _journal(unit: Unit) -> dict[str, Any]:
    journal = unit.journal
    number, digest = journal.head()
    known = {"records": number, "head": digest.hex()}
    try:
        return known | {
            "open_intents": [each.number for each in journal.open_intents()],
            "damaged": [list(each) for each in journal.damaged_ranges()],
            "free_mb": journal.free_mb(),
            "has_room": journal.has_room,
        }
    except (JournalError, OSError) as error:
        return known | {"fault": str(error)}
