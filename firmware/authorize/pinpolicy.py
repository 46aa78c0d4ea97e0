"""What a payment with an initial PIN meets (M2, M3): board.toml `[initial_pin] policy`."""

from __future__ import annotations

from firmware.authorize.pin import PinBuffer, typed_at_pad
from firmware.authorize.pinchange import ask_new_pin, change
from firmware.authorize.request import Request
from firmware.authorize.unit import Unit
from firmware.authorize.visit import Visit
from firmware.card.session import PIN_IS_SET
from firmware.journal import kinds as rec
from firmware.outcome import Outcome, outcome
from firmware.secret import Pin


def check_initial_pin(
    unit: Unit, visit: Visit, buffer: PinBuffer, request: Request
) -> Outcome | None:
    """After prove_holder; None: the PIN is none of buffer.initial, or is no obstacle any more."""
    pin = buffer.pin
    if pin is None or not buffer.is_initial(pin):
        return None
    policy = unit.board.initial_pin.policy
    if policy == "warn":
        return _warn(unit, visit, pin, request)
    if policy == "force_change":
        return _force_change(unit, visit, buffer, pin, request)
    return outcome("PIN_IS_INITIAL")


def _warn(unit: Unit, visit: Visit, pin: Pin, request: Request) -> Outcome | None:
    """The holder acknowledges by entering the same PIN once more; the card is not asked."""
    typed = typed_at_pad(unit, "INITIAL_PIN_WARNING")
    if isinstance(typed, Outcome):
        return typed
    with typed:
        if typed != pin:
            return outcome("PIN_IS_INITIAL")
    _journal(unit, visit, request, "initial PIN: acknowledged by the holder", outcome("SERVED"))
    return None


def _force_change(
    unit: Unit, visit: Visit, buffer: PinBuffer, pin: Pin, request: Request
) -> Outcome | None:
    """The payment goes on with the new PIN, proved to the card."""
    new = ask_new_pin(unit, buffer, "NEW_PIN_FORCED")
    if isinstance(new, Outcome):
        return new
    ending = change(unit, visit, pin, new)
    if ending.refused is None:
        buffer.keep(new)
    else:
        new.wipe()
        buffer.drop()
    detail = f"initial PIN: {ending.detail}"
    _journal(unit, visit, request, detail, ending.refused or outcome("SERVED"))
    return ending.refused or _prove(visit, new)


def _prove(visit: Visit, new: Pin) -> Outcome | None:
    """VERIFY without Lc 00 before it: after a right PIN that may say that none is set."""
    tries = visit.session.verify(new)
    if tries == PIN_IS_SET:
        return None
    visit.tries_left = tries
    return outcome("PIN_WRONG" if tries else "PIN_LOCKED")


def _journal(unit: Unit, visit: Visit, request: Request, detail: str, result: Outcome) -> None:
    """Neither the PIN nor the rule that gave it."""
    unit.journal.append(
        rec.KIND_SERVICE,
        {
            rec.KEY_OPERATOR: request.operator,
            rec.KEY_DETAIL: f"{detail}; order {request.order_no}",
            rec.KEY_OUTCOME: result.number,
            rec.KEY_CARD_ID: visit.card_id,
            rec.KEY_CARD_NUMBER: visit.card_number,
        },
    )
