"""A whole card for the host that asked: every item that PIN and PSAM open (M13)."""

from __future__ import annotations

from functools import partial

from firmware.authorize.cardkeys import can_authenticate
from firmware.authorize.pin import prove_holder
from firmware.authorize.service import Desk
from firmware.card.dump import dump
from firmware.outcome import Outcome


def card_dump(desk: Desk) -> Outcome | None:
    """Tells `card`, as card/dump.py makes it: to the host only, never to journal or display."""
    refused = prove_holder(desk.unit, desk.visit, desk.buffer)
    if refused is not None:
        return refused
    authenticate = partial(can_authenticate, desk.unit, desk.visit)
    desk.told |= {
        "card_number": desk.visit.card_number,
        "card": dump(desk.visit.session, authenticate, True, desk.unit.region.applications),
    }
    return None
