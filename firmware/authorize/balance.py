"""The holder's balance and past settlements: reads only, with the holder's PIN."""

from __future__ import annotations

from typing import Any

from firmware.authorize import identify, recovery
from firmware.authorize.pin import PinBuffer, prove_holder
from firmware.authorize.unit import Unit, yuan
from firmware.authorize.visit import Visit, begin, outcome_of
from firmware.authorize.welcome import settle_open
from firmware.card import files, settlement
from firmware.channel import Reader
from firmware.outcome import Fault, Outcome, outcome

MAX_SETTLEMENTS = 10


def balance(unit: Unit, reader: Reader) -> tuple[Outcome, dict[str, Any]]:
    """The outcome, and account, yearly totals and past settlements when it is SERVED."""
    unit.show("READING_CARD")
    told: dict[str, Any] = {}
    with PinBuffer() as buffer:
        try:
            visit = begin(unit, reader)
            refused = identify.read_identity(unit, visit)
            if refused is None:
                visit, refused = _settle_the_past(unit, visit, buffer)
            refused = (
                refused
                or identify.check_identity(unit, visit)
                or identify.prove_genuine(unit, visit)
                or _ask_pin(unit, visit, buffer)
            )
            if refused is None:
                told = _read(visit)
        except Fault as fault:
            refused = outcome_of(fault)
        finally:
            reader.power_off()
    if refused is not None:
        unit.show(refused.name)
        return refused, told
    unit.show("BALANCE", balance=yuan(told["account_fen"]))
    return outcome("SERVED"), told


def _settle_the_past(unit: Unit, visit: Visit, buffer: PinBuffer) -> tuple[Visit, Outcome | None]:
    """Close this card's open INTENTs, then a fresh visit."""
    intents = recovery.open_intents_of(unit, visit)
    result = settle_open(unit, visit, intents, buffer)
    if result is None or result.name == "PUT_CARD_BACK":
        return visit, result
    visit = begin(unit, visit.reader)
    return visit, identify.read_identity(unit, visit)


def _ask_pin(unit: Unit, visit: Visit, buffer: PinBuffer) -> Outcome | None:
    visit.session.select_df(files.DF04_FID)
    return prove_holder(unit, visit, buffer)


def _read(visit: Visit) -> dict[str, Any]:
    log = settlement.read_log(visit.session, MAX_SETTLEMENTS)
    return {
        "card_number": visit.card_number,
        "account_fen": settlement.get_balance(visit.session, 1),
        "yearly_self_fen": settlement.get_balance(visit.session, 2),
        "yearly_pooled_fen": settlement.get_balance(visit.session, 3),
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
