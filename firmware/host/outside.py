"""What may be asked from outside the unit, or by another user on it: what a counter does.

Who did not log on at this unit, or lacks the right, is refused by the card process itself
(authorize/logon.py); `second` makes two people of it.
"""

from __future__ import annotations

OUTSIDE: dict[str, str] = {
    # method: why it may
    "status": "what the screen shows, for the counter's own window",
    "purchase": "a payment; an order number is one payment for ever",
    "cancel": "the counter ends the wait that it began",
    "load": "one half of a load; the office allows it or not",
    "load.mac2": "the other half: what the office answered",
    "balance": "the holder's PIN opens it",
    "card.dump": "the counter's reading of the card, which the holder put in",
    "presence.proof": "the holder's PIN opens it",
    "pin.change": "the holder's own act, at the pad",
    "pin.remove": "the holder's own act, at the pad, where the region allows it",
    "receipt.print": "paper of a payment that was taken",
    "operator.logon": "without it no operator could pay from a counter; five tries, then locked",
    "operator.logoff": "who logged on must be able to leave",
    "act": "the card process asks for the operator's right",
    "pin.unblock": "two operators who logged on just now",
    "pin.reload": "two operators who logged on just now",
    "application.block": "two operators who logged on just now",
    "card.block": "two operators who logged on just now",
}
INSIDE: dict[str, str] = {
    # method: why only the unit's own user and root may
    "records": "the journal in the clear: every counter's card numbers, every operator's acts",
    "update.lease": "holds payments back: whoever may ask it over the network could stop the unit",
    "update.selftest": "seals a batch and tells of the unit's inside",
    "tamper.clear": "a technician who stands at the case",
}
