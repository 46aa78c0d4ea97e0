"""What a host is told of an order: always read from the journal, so the first answer and every
repeated one are the same."""

from __future__ import annotations

from typing import Any

from firmware.journal import kinds as rec
from firmware.journal.record import Record, whole_intent
from firmware.outcome import Outcome, outcome, outcomes

_STATES = {
    rec.KIND_INTENT: "OPEN",
    rec.KIND_DONE: "DONE",
    rec.KIND_VOID: "VOID",
    rec.KIND_SUSPECT: "SUSPECT",
    rec.KIND_UNCERTAIN: "UNCERTAIN",
    rec.KIND_RULED: "RULED",
    rec.KIND_DECLINED: "DECLINED",
}
OUTCOME_BY_NUMBER = {each.number: each for each in outcomes()}


def result_of(records: list[Record]) -> dict[str, Any] | None:
    """JSON-able; None when the order is unknown.  records: journal.by_order, oldest first."""
    first = next((r for r in records if r.kind in (rec.KIND_INTENT, rec.KIND_DECLINED)), None)
    if first is None:
        return None
    last = [r for r in records if r.kind in _STATES][-1]
    body = first.body
    result = {
        "order_no": body[rec.KEY_ORDER_NO],
        "state": _STATES[last.kind],
        "outcome": _newest(records, rec.KEY_OUTCOME, outcome("PUT_CARD_BACK").number),
        "operator": body[rec.KEY_OPERATOR],
        "account_fen": body[rec.KEY_ACCOUNT_FEN],
        "self_fen": body[rec.KEY_SELF_FEN],
        "pooled_fen": body[rec.KEY_POOLED_FEN],
        "card_number": body.get(rec.KEY_CARD_NUMBER),
        "card_id": _hex(body.get(rec.KEY_CARD_ID)),
        "records": [r.number for r in records],
    }
    if first.kind == rec.KIND_INTENT:
        result |= {
            "terminal": body[rec.KEY_TERMINAL].hex(),
            "terminal_serial": body[rec.KEY_TERMINAL_SERIAL].hex(),
            "purchase_serial": body[rec.KEY_PURCHASE_SERIAL],
            "time": body[rec.KEY_TIME7].hex(),
            "type": f"{whole_intent(body)[rec.KEY_TYPE]:02x}",
            "tac": _hex(_newest(records, rec.KEY_TAC, None)),
            "balance_before_fen": body[rec.KEY_ACCOUNT_BALANCE_FEN],
        }
        if rec.KEY_SPECIAL in body:
            result["special"] = body[rec.KEY_SPECIAL]
    elif rec.KEY_DETAIL in body:
        result["detail"] = body[rec.KEY_DETAIL]
    return result


def _newest(records: list[Record], key: int, absent: Any) -> Any:
    """The value in the newest record that has one; RULED, for one, repeats no outcome."""
    return next((r.body[key] for r in reversed(records) if key in r.body), absent)


def outcome_of(records: list[Record]) -> Outcome | None:
    """What the order came to so far: PUT_CARD_BACK while its INTENT is open; None when unknown."""
    told = result_of(records)
    if told is None:
        return None
    return OUTCOME_BY_NUMBER.get(told["outcome"], outcome("UNIT_FAULT"))


def amounts_of(records: list[Record]) -> tuple[int, int, int] | None:
    """account, self, pooled in fen of the order's first record."""
    told = result_of(records)
    return None if told is None else (told["account_fen"], told["self_fen"], told["pooled_fen"])


def _hex(value: bytes | None) -> str | None:
    return None if value is None else value.hex()
