"""The holder's balance and past settlements: reads only, with the holder's PIN."""

from __future__ import annotations

from firmware.authorize.service import Desk, prove_holder_in_df04
from firmware.authorize.unit import yuan
from firmware.card import settlement
from firmware.outcome import Outcome

MAX_SETTLEMENTS = 10


def balance(desk: Desk) -> Outcome | None:
    """Tells account, yearly totals and the newest settlements."""
    refused = prove_holder_in_df04(desk)
    if refused is not None:
        return refused
    session = desk.visit.session
    log = settlement.read_log(session, MAX_SETTLEMENTS)
    desk.told |= {
        "card_number": desk.visit.card_number,
        "account_fen": settlement.get_balance(session, 1),
        "yearly_self_fen": settlement.get_balance(session, 2),
        "yearly_pooled_fen": settlement.get_balance(session, 3),
        "settlements": [
            {
                "serial": each.serial,
                "type": f"{each.kind:02x}",
                "terminal": each.terminal.hex(),
                "time": each.time7.hex(),
                "account_fen": each.account_fen,
                "self_fen": each.self_fen,
                "pooled_fen": each.pooled_fen,
            }
            for each in log
        ],
    }
    desk.shown["balance"] = yuan(desk.told["account_fen"])
    return None
