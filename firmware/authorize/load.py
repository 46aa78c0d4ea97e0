"""A load: the host's money into the card's account, in one visit of the card (SPEC-P7).

INITIALIZE FOR LOAD; the host, or its key machine, checks MAC1 and answers its time and MAC2;
LOAD_INTENT; CREDIT FOR LOAD, once and never again.  When its answer does not come whole, the card
itself tells what happened (loadevidence.py).  DLK is in no PSAM: only the host can allow a load.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from firmware.authorize import recovery
from firmware.authorize.request import MAX_FEN, MAX_ORDER_NO
from firmware.authorize.result import OUTCOME_BY_NUMBER
from firmware.authorize.service import Desk, prove_holder_in_df04
from firmware.authorize.unit import yuan
from firmware.card import commands, settlement
from firmware.card.settlement import InitializedLoad
from firmware.journal import kinds as rec
from firmware.journal.record import Record
from firmware.outcome import Fault, Outcome, outcome

HOST_S = 30.0
"""So long the card waits for its MAC2."""
PIN_KEPT_S = 60.0  # for the recovery of the load it was entered for
KNOWN_BY_ANSWER = 1
TAC_PRESENT = 1

_STATES = {
    rec.KIND_LOAD_INTENT: "OPEN",
    rec.KIND_LOAD_DONE: "DONE",
    rec.KIND_LOAD_VOID: "VOID",
    rec.KIND_LOAD_UNCERTAIN: "UNCERTAIN",
}


def check_load(params: Mapping[str, Any]) -> None:
    """Raises ValueError."""
    order_no = params["order_no"]
    if not 1 <= len(order_no) <= MAX_ORDER_NO or not order_no.isprintable():
        raise ValueError(f"order_no has 1 to {MAX_ORDER_NO} printable characters")
    if not 0 < params["amount_fen"] <= MAX_FEN:
        raise ValueError("amount_fen is more than 0 and at most 4294967295")


def host_reply(time7: object, mac2: object) -> dict[str, bytes]:
    """What the host hands in: time7 YYYYMMDDhhmmss, mac2 8 hex digits.  Raises ValueError."""
    if not isinstance(time7, str) or re.fullmatch(r"[0-9]{14}", time7) is None:
        raise ValueError("time7 is YYYYMMDDhhmmss, 14 digits")
    if not isinstance(mac2, str) or re.fullmatch(r"[0-9A-Fa-f]{8}", mac2) is None:
        raise ValueError("mac2 has 8 hex digits")
    return {"time7": bytes.fromhex(time7), "mac2": bytes.fromhex(mac2)}


def load(desk: Desk) -> Outcome:
    """The whole load.  Until LOAD_INTENT nothing has happened."""
    unit, session, order_no = desk.unit, desk.visit.session, desk.params["order_no"]
    amount_fen = desk.params["amount_fen"]
    desk.shown |= {"amount": yuan(amount_fen), "order_no": order_no}
    known = result_of(unit.journal.by_order(order_no))
    if known is not None and known["state"] != "VOID":
        return OUTCOME_BY_NUMBER[known["outcome"]]  # the same order came twice at once
    refused = prove_holder_in_df04(desk)
    if refused is not None:
        return refused
    identity = unit.psam.identity
    if identity is None:
        return outcome("PSAM_MISSING")
    key_index = identity.key_index or unit.board.purchase.key_index
    begun = settlement.initialize_for_load(session, key_index, amount_fen, identity.terminal)
    unit.show("ASKING_HOST", **desk.shown)
    reply = unit.ask_host(order_no, _asked(desk, begun, identity.terminal), HOST_S)
    if isinstance(reply, Outcome):
        return reply
    if (refused := unit.look_at_case()) is not None:
        return refused
    intent = unit.journal.append(
        rec.KIND_LOAD_INTENT, _intent_body(desk, begun, identity.terminal, key_index, reply)
    )
    try:
        tac = settlement.credit_for_load(session, reply["time7"], reply["mac2"])
    except Fault:
        until = unit.monotonic() + min(PIN_KEPT_S, unit.board.timing.removal_s)
        return recovery.resolve_now(unit, desk.visit.reader, intent, desk.buffer, until)
    done = outcome("LOADED")
    unit.journal.append(
        rec.KIND_LOAD_DONE,
        {
            rec.KEY_INTENT: intent.number,
            rec.KEY_TAC: tac,
            rec.KEY_TAC_STATE: TAC_PRESENT,
            rec.KEY_KNOWN_BY: KNOWN_BY_ANSWER,
            rec.KEY_OUTCOME: done.number,
        },
    )
    return done


def _asked(desk: Desk, begun: InitializedLoad, terminal: bytes) -> dict[str, Any]:
    """What the host needs to check MAC1 and to make MAC2."""
    visit = desk.visit
    return {
        "step": "mac2",
        "order_no": desk.params["order_no"],
        "amount_fen": desk.params["amount_fen"],
        "wait_s": int(HOST_S),
        "card_number": visit.card_number,
        "card_id": visit.card_id.hex(),
        "historical": visit.historical.hex(),
        "terminal": terminal.hex(),
        "type": f"{commands.TYPE_LOAD:02x}",
        "balance_fen": begun.account_fen,
        "load_serial": begun.load_serial,
        "key_version": begun.key_version,
        "algorithm": begun.algorithm,
        "random": begun.random.hex(),
        "mac1": begun.mac1.hex(),
    }


def _intent_body(
    desk: Desk, begun: InitializedLoad, terminal: bytes, key_index: int, reply: Mapping[str, Any]
) -> dict[int, Any]:
    visit, params = desk.visit, desk.params
    return {
        rec.KEY_ORDER_NO: params["order_no"],
        rec.KEY_OPERATOR: params["operator"],
        rec.KEY_TERMINAL: terminal,
        rec.KEY_CARD_ID: visit.card_id,
        rec.KEY_CARD_NUMBER: visit.card_number,
        rec.KEY_HISTORICAL: visit.historical,
        rec.KEY_ALGORITHM: begun.algorithm,
        rec.KEY_KEY_INDEX: key_index,
        rec.KEY_KEY_VERSION: begun.key_version,
        rec.KEY_CARD_RANDOM: begun.random,
        rec.KEY_TYPE: commands.TYPE_LOAD,
        rec.KEY_TIME7: reply["time7"],
        rec.KEY_MAC1: begun.mac1,
        rec.KEY_MAC2: reply["mac2"],
        rec.KEY_ACCOUNT_BALANCE_FEN: begun.account_fen,
        rec.KEY_LOAD_SERIAL: begun.load_serial,
        rec.KEY_LOAD_FEN: params["amount_fen"],
    }


def result_of(records: list[Record]) -> dict[str, Any] | None:
    """What a host is told of a load, from the journal; None when the order has none.

    records: journal.by_order, oldest first; after a VOID the order may have been begun again.
    """
    intents = [each for each in records if each.kind == rec.KIND_LOAD_INTENT]
    if not intents:
        return None
    intent = intents[-1]
    mine = [each for each in records if each.body.get(rec.KEY_INTENT) == intent.number]
    last = next((each for each in reversed(mine) if each.kind in _STATES), intent)
    body = intent.body
    tac = last.body.get(rec.KEY_TAC)
    return {
        "order_no": body[rec.KEY_ORDER_NO],
        "state": _STATES[last.kind],
        "outcome": last.body.get(rec.KEY_OUTCOME, outcome("PUT_CARD_BACK").number),
        "operator": body[rec.KEY_OPERATOR],
        "amount_fen": body[rec.KEY_LOAD_FEN],
        "card_number": body[rec.KEY_CARD_NUMBER],
        "card_id": body[rec.KEY_CARD_ID].hex(),
        "records": [intent.number, *(each.number for each in mine)],
        "terminal": body[rec.KEY_TERMINAL].hex(),
        "load_serial": body[rec.KEY_LOAD_SERIAL],
        "time": body[rec.KEY_TIME7].hex(),
        "type": f"{body[rec.KEY_TYPE]:02x}",
        "tac": None if tac is None else tac.hex(),
        "balance_before_fen": body[rec.KEY_ACCOUNT_BALANCE_FEN],
    }
