"""What this terminal may take at all: amounts, limits, clock, PSAM, room (before any card)."""

from __future__ import annotations

from firmware.authorize.request import Request
from firmware.authorize.stoplist import StopList
from firmware.authorize.unit import Unit
from firmware.clock import TRUST_NONE
from firmware.outcome import Outcome, outcome


def check_rules(unit: Unit, request: Request) -> Outcome | None:
    """Everything that needs no card; the day's limit counts what the journal counts as taken."""
    if (refused := unit.look_at_case()) is not None:
        return refused
    if unit.is_stopped:
        return outcome("UNIT_STOPPED")
    if isinstance(unit.stop_list, Outcome):
        return unit.stop_list
    now = unit.clock.now()
    if unit.clock.is_behind:
        return outcome("CLOCK_JUMPED_BACK")
    if now.trust == TRUST_NONE:
        return outcome("CLOCK_NOT_TRUSTED")
    if not unit.journal.has_room:
        return outcome("DISK_FULL")
    if request.total_fen > unit.board.limits.transaction_fen:
        return outcome("OVER_TRANSACTION_LIMIT")
    aged_fen = unit.board.stop_list.aged_transaction_fen
    if aged_fen is not None and request.total_fen > aged_fen and is_stop_list_aged(unit):
        return outcome("STOP_LIST_AGED")
    spent_fen = unit.journal.spent_fen(unit.clock.day(now.epoch_ms))
    if spent_fen + request.total_fen > unit.board.limits.day_fen:
        return outcome("OVER_DAY_LIMIT")
    return check_psam(unit)


def stop_list_hours(unit: Unit) -> int | None:
    """Whole hours since the office signed the list in force; None without one."""
    stop_list = unit.stop_list
    if isinstance(stop_list, Outcome) or stop_list.issued_ms is None:
        return None
    return max(0, unit.clock.now().epoch_ms - stop_list.issued_ms) // 3_600_000


def is_stop_list_aged(unit: Unit) -> bool:
    """Older than board.toml allows; a unit that never had a list has none young enough."""
    max_age_h, hours = unit.board.stop_list.max_age_h, stop_list_hours(unit)
    return max_age_h is not None and (hours is None or hours >= max_age_h)


def check_psam(unit: Unit) -> Outcome | None:
    """The PSAM: there, ours, of our region, in date, not stopped.  Raises PsamFault."""
    was_up = unit.psam.is_up
    if not was_up:
        unit.psam.start(unit.board.purchase.dpk_factors)
    refused = check_psam_identity(unit)
    if refused is not None and was_up:  # somebody may have put the right one in since
        unit.psam.start(unit.board.purchase.dpk_factors)
        refused = check_psam_identity(unit)
    return refused


def check_psam_identity(unit: Unit) -> Outcome | None:
    """By the environment selected last; asks the PSAM nothing."""
    identity = unit.psam.identity
    if identity is None:
        return outcome("PSAM_MISSING")
    bound = unit.board.psam.terminal_number
    if bound and identity.terminal.hex() != bound:
        return outcome("PSAM_SWAPPED")
    if not is_region_of(identity.region, unit.board.unit.region):
        return outcome("PSAM_OF_OTHER_REGION")
    if isinstance(unit.stop_list, StopList) and unit.stop_list.names_psam(identity.terminal):
        return outcome("PSAM_ON_STOP_LIST")
    today = unit.clock.day(unit.clock.now().epoch_ms)
    if not identity.valid_from <= today <= identity.valid_until:
        return outcome("PSAM_OUT_OF_DATE")
    return None


def is_region_of(issuer: str, region: str) -> bool:
    """Was it issued for this region: by district, city (xxxx00) or province (xx0000)?"""
    return issuer in (region, region[:4] + "00", region[:2] + "0000")


def check_card_limit(unit: Unit, card_id: bytes, request: Request) -> Outcome | None:
    """The card's own limit for the day."""
    day = unit.clock.day(unit.clock.now().epoch_ms)
    spent_fen = unit.journal.spent_fen(day, card_id)
    if spent_fen + request.total_fen > unit.board.limits.card_day_fen:
        return outcome("OVER_CARD_LIMIT")
    return None
