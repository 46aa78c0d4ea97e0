"""A command that must not be sent twice: sent once, and where its answer was lost, the same card
again and what it has to say."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from firmware.authorize.service import Desk
from firmware.authorize.unit import Unit
from firmware.authorize.visit import Visit, begin
from firmware.card import commands
from firmware.outcome import Fault, ProtocolError, StatusError, TransportError, outcome

_POLL_S = 0.1
Told = TypeVar("Told")


def send_once(desk: Desk, name: str, header: bytes, data: bytes, uncertain: str) -> str | None:
    """The secured command; None when the card did it, else what befell the answer: ask again.

    uncertain: the outcome's name, should this process end here.  Raises StatusError where the card
    says that it did nothing.
    """
    desk.sent(outcome(uncertain))
    try:
        desk.visit.session.secured(name, header, data)
        return None
    except StatusError as error:
        if not commands.is_state_unknown(error.sw):
            raise
        return error.what
    except (TransportError, ProtocolError) as fault:
        return fault.what


def ask_again(
    unit: Unit, visit: Visit, prompt: str, ask: Callable[[Visit], Told | None]
) -> Told | None:
    """Power the card up until `ask` has its answer: None when it did not come back in time.

    The card is known by its historical bytes.  `ask` returns None, or raises Fault, when it has no
    answer yet; it may be asked many times.  The card is powered down at the end.
    """
    visit.reader.power_off()
    unit.show(prompt)
    until = unit.monotonic() + unit.board.timing.removal_s
    while unit.monotonic() < until and not unit.is_cancelled():
        told = _asked(unit, visit, ask)
        if told is not None:
            return told
        unit.wait(_POLL_S)
    return None


def _asked(unit: Unit, visit: Visit, ask: Callable[[Visit], Told | None]) -> Told | None:
    try:
        cards = unit.cards_in_reach()
        if len(cards) != 1:
            return None
        found = begin(unit, cards[0])
        try:
            return ask(found) if found.historical == visit.historical else None
        finally:
            found.reader.power_off()
    except Fault:
        return None
