"""Every service a host may ask for besides the payment: name -> what it does."""

from __future__ import annotations

from firmware.authorize.balance import balance
from firmware.authorize.carddump import card_dump
from firmware.authorize.pinchange import pin_change, pin_remove
from firmware.authorize.service import Service

SERVICES: dict[str, Service] = {
    "balance": Service(balance, is_journaled=False, message="BALANCE"),
    "card.dump": Service(card_dump, {"operator": str}),
    "pin.change": Service(pin_change, {"operator": str}, message="PIN_CHANGED"),
    "pin.remove": Service(pin_remove, {"operator": str}, message="PIN_REMOVED"),
}
