"""The holder's PIN (step 6): every purchase runs its own VERIFY."""

from __future__ import annotations

from firmware.authorize.unit import Unit
from firmware.authorize.visit import Visit
from firmware.card.session import PIN_IS_SET
from firmware.outcome import Outcome, outcome
from firmware.secret import Pin


class PinBuffer:
    """Keeps the right PIN of one purchase for its recovery; wiped when the `with` ends."""

    def __init__(self) -> None:
        self.pin: Pin | None = None
        self.initial: list[Pin] = []
        """What initialpin.py made of the card, where a policy asks for it."""

    def __enter__(self) -> PinBuffer:
        return self

    def __exit__(self, *ended: object) -> None:
        self.drop()
        for each in self.initial:
            each.wipe()

    def keep(self, pin: Pin) -> None:
        self.drop()
        self.pin = pin

    def is_initial(self, pin: Pin) -> bool:
        return sum(pin == each for each in self.initial) > 0  # no sooner for the first of them

    def drop(self) -> None:
        if self.pin is not None:
            self.pin.wipe()
            self.pin = None


def prove_holder(
    unit: Unit, visit: Visit, buffer: PinBuffer, prompt: str = "ENTER_PIN"
) -> Outcome | None:
    """VERIFY Lc=00 for the tries left, then the pad, then VERIFY.

    A PIN already in the buffer is used first.  The last try is the holder's own: it is offered,
    with its number shown, never spent by the terminal itself.
    """
    tries = visit.tries_left = visit.session.verify_status()
    if tries is None:
        return None if unit.board.purchase.allow_pin_unset else outcome("PIN_NOT_SET")
    if tries == 0:
        return outcome("PIN_LOCKED")
    if buffer.pin is not None:
        if visit.session.verify(buffer.pin) == PIN_IS_SET:
            return None
        buffer.drop()  # another card, or a PIN changed elsewhere: it is not tried twice
        return outcome("PIN_WRONG")
    return _ask(unit, visit, buffer, prompt, tries)


def _ask(unit: Unit, visit: Visit, buffer: PinBuffer, prompt: str, tries: int) -> Outcome | None:
    for _ in range(unit.board.purchase.pin_attempts):
        typed = typed_at_pad(unit, prompt, tries_left=str(tries))
        if isinstance(typed, Outcome):
            return typed
        tries = visit.session.verify(typed)
        if tries == PIN_IS_SET:
            buffer.pin = typed
            return None
        typed.wipe()
        visit.tries_left = tries
        if tries == 0:
            return outcome("PIN_LOCKED")
        prompt = "PIN_WRONG_RETRY"
    return outcome("PIN_WRONG")


def typed_at_pad(unit: Unit, prompt: str, **fields: str) -> Pin | Outcome:
    """Show the prompt; what the holder types, or why there is nothing.  Raises JournalError."""
    if unit.pad is None:
        return outcome("PIN_PAD_MISSING")
    if (refused := unit.look_at_case()) is not None:
        return refused  # the pad may no longer be what it was
    unit.show(prompt, **fields)
    return unit.pad.read_pin(unit.board.timing.pin_s, unit.is_cancelled, unit.typed)
