"""Changing, setting and removing a PIN at the pad (M1, M3), and a card that left meanwhile."""

from __future__ import annotations

from dataclasses import dataclass

from firmware.authorize import identify, initialpin
from firmware.authorize.pin import PinBuffer, prove_holder, typed_at_pad
from firmware.authorize.service import Desk
from firmware.authorize.unit import Unit
from firmware.authorize.visit import Visit, begin
from firmware.card import commands
from firmware.journal import kinds as rec
from firmware.outcome import Fault, Outcome, StatusError, outcome
from firmware.secret import Pin

_POLL_S = 0.1
_NOT_SET = -1


@dataclass(frozen=True)
class Ending:
    """What became of one CHANGE PIN; None: the card did it.  detail: for the journal."""

    refused: Outcome | None
    detail: str


def pin_change(desk: Desk) -> Outcome | None:
    """The old PIN, the new one twice, CHANGE PIN; only the new one where none is set."""
    unit, visit, buffer = desk.unit, desk.visit, desk.buffer
    if unit.board.initial_pin.policy != "ignore":
        refused = identify.read_holder(unit, visit)
        if refused is not None:
            return refused
        initialpin.learn(unit, visit, buffer)
    refused = prove_holder(unit, visit, buffer, "OLD_PIN")
    if buffer.pin is None and (refused is None or refused.name == "PIN_NOT_SET"):
        refused = None if unit.board.pin_change.allow_set else outcome("PIN_NOT_SET")
    if refused is not None:
        return refused
    new = ask_new_pin(unit, buffer, "NEW_PIN")
    if isinstance(new, Outcome):
        return new
    with new:
        return _journaled(desk, change(unit, visit, buffer.pin, new))


def pin_remove(desk: Desk) -> Outcome | None:
    """The old PIN, then CHANGE PIN without a new one."""
    if not desk.unit.board.pin_change.allow_remove:
        return outcome("PIN_REMOVAL_NOT_ALLOWED")
    refused = prove_holder(desk.unit, desk.visit, desk.buffer, "REMOVE_PIN")
    if refused is None and desk.buffer.pin is None:
        return outcome("PIN_NOT_SET")
    return refused or _journaled(desk, change(desk.unit, desk.visit, desk.buffer.pin, None))


def _journaled(desk: Desk, ending: Ending) -> Outcome | None:
    desk.record[rec.KEY_DETAIL] = f"pin: {ending.detail}"
    return ending.refused


def ask_new_pin(unit: Unit, buffer: PinBuffer, prompt: str) -> Pin | Outcome:
    """Twice the same from the pad, neither the PIN in the buffer nor an initial one."""
    for _ in range(unit.board.purchase.pin_attempts):
        new = typed_at_pad(unit, prompt)
        if isinstance(new, Outcome):
            return new
        if new == buffer.pin or buffer.is_initial(new):
            new.wipe()
            prompt = "NEW_PIN_TOO_EASY"
            continue
        again = typed_at_pad(unit, "NEW_PIN_AGAIN")
        if isinstance(again, Outcome):
            new.wipe()
            return again
        with again:
            if again == new:
                return new
        new.wipe()
        prompt = "NEW_PIN_DIFFERED"
    return outcome("PIN_NOT_CHANGED")


def change(unit: Unit, visit: Visit, old: Pin | None, new: Pin | None) -> Ending:
    """CHANGE PIN, once.  When its answer is lost the card is asked how its PIN stands."""
    try:
        visit.session.change_pin(old, new)
    except StatusError as error:
        refused = _refusal(visit, error.sw)
        if refused is not None:
            return Ending(refused, f"not changed, {error.what}")
        lost = error.what
    except Fault as fault:
        lost = fault.what
    else:
        return Ending(None, _act(old, new))
    return _find_out(unit, visit, old, new, f"{_act(old, new)}?, {lost}")


def _act(old: Pin | None, new: Pin | None) -> str:
    if new is None:
        return "removed"
    return "set" if old is None else "changed"


def _refusal(visit: Visit, sw: int) -> Outcome | None:
    """None when that status word does not say that nothing was changed (ISO 7816-4 5.6)."""
    if commands.is_tries_left(sw) or sw == commands.SW_LOCKED:
        visit.tries_left = 0 if sw == commands.SW_LOCKED else sw & 0x0F
        return outcome("PIN_WRONG" if visit.tries_left else "PIN_LOCKED")
    is_checking_error = 0x6700 <= sw < 0x6F00 or sw == commands.SW_APPLICATION_LOCKED
    return outcome("PIN_NOT_CHANGED") if is_checking_error else None


def _find_out(unit: Unit, visit: Visit, old: Pin | None, new: Pin | None, lost: str) -> Ending:
    """VERIFY with Lc 00 tells whether a PIN is set, not which: neither is tried on the card."""
    visit.tries_left = None
    tries = _wait_for_tries(unit, visit)
    if tries is None:
        return Ending(outcome("PIN_CHANGE_UNCERTAIN"), f"{lost}; the card stayed away")
    is_set = tries != _NOT_SET
    visit.tries_left = tries if is_set else None
    told = f"{lost}; a PIN is set, tries left {tries}" if is_set else f"{lost}; no PIN is set"
    if tries == 0:
        return Ending(outcome("PIN_LOCKED"), told)
    if old is not None and new is not None:
        return Ending(outcome("PIN_CHANGE_UNCERTAIN"), told)
    is_done = is_set == (new is not None)
    return Ending(None if is_done else outcome("PIN_NOT_CHANGED"), told)


def _wait_for_tries(unit: Unit, visit: Visit) -> int | None:
    """Tries left of the same card, or _NOT_SET; None when it did not come back in time."""
    visit.reader.power_off()
    unit.show("PIN_CHANGE_CHECKING")
    until = unit.monotonic() + unit.board.timing.removal_s
    while unit.monotonic() < until and not unit.is_cancelled():
        try:
            cards = unit.cards_in_reach()
            if len(cards) == 1:
                return _tries_of(unit, visit, begin(unit, cards[0]))
        except Fault:
            pass  # not yet readable, or another card: it may still come
        unit.wait(_POLL_S)
    return None


def _tries_of(unit: Unit, visit: Visit, found: Visit) -> int:
    """Raises Fault, also when that is another card."""
    try:
        refused = identify.read_identity(unit, found)
        if refused or (found.card_id, found.card_number) != (visit.card_id, visit.card_number):
            raise Fault("another card")
        tries = found.session.verify_status()
        return _NOT_SET if tries is None else tries
    finally:
        found.reader.power_off()
