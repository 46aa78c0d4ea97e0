"""A payment whose end was not seen: find out from the card, never guess, never debit twice."""

from __future__ import annotations

from firmware.authorize import evidence, loadevidence, offline
from firmware.authorize.identify import read_identity
from firmware.authorize.pin import PinBuffer, prove_holder
from firmware.authorize.unit import Unit, yuan
from firmware.authorize.visit import Visit, begin
from firmware.card import files
from firmware.channel import Reader
from firmware.journal import kinds as rec
from firmware.journal.record import Record
from firmware.outcome import Fault, Outcome, outcome

MAC2_UNCHECKED = 3
TAC_PRESENT = 1
TAC_LOST = 2

_POLL_S = 0.1
_PIN_IS_REFUSED = ("PIN_WRONG", "PIN_LOCKED")
_OUTCOME = {
    rec.KIND_DONE: "APPROVED_FOUND_LATER",
    rec.KIND_VOID: "NOT_TAKEN",
    rec.KIND_UNCERTAIN: "PAYMENT_UNCERTAIN",
    rec.KIND_LOAD_DONE: "LOADED_FOUND_LATER",
    rec.KIND_LOAD_VOID: "NOT_LOADED",
    rec.KIND_LOAD_UNCERTAIN: "LOAD_UNCERTAIN",
}
_UNCERTAIN = {
    rec.KIND_INTENT: rec.KIND_UNCERTAIN,
    rec.KIND_LOAD_INTENT: rec.KIND_LOAD_UNCERTAIN,
}


def open_intents_of(unit: Unit, visit: Visit) -> list[Record]:
    """The INTENTs of this card (id and number), then its loads, that have no final outcome yet."""
    still_open = [*unit.journal.open_intents(), *unit.journal.open_loads()]
    return [intent for intent in still_open if _is_of(intent, visit)]


def _is_of(intent: Record, visit: Visit) -> bool:
    body = intent.body
    return bool(
        body[rec.KEY_CARD_ID] == visit.card_id and body[rec.KEY_CARD_NUMBER] == visit.card_number
    )


def recover(unit: Unit, visit: Visit, intent: Record, buffer: PinBuffer) -> Outcome:
    """Gather evidence from the identified card, append what follows from it, show it.

    Returns PUT_CARD_BACK while the INTENT stays open (the holder did not answer, the card left).
    """
    unit.show("CHECKING_LAST_PAYMENT")
    try:
        visit.session.select_df(files.DF04_FID)
        refused = prove_holder(unit, visit, buffer, "RECOVERY_PIN")
        if refused is not None and refused.name in _PIN_IS_REFUSED:
            finding = evidence.Finding(_UNCERTAIN[intent.kind], "the PIN was refused")
            return _show(unit, intent, _conclude(unit, intent, finding, {}))
        if refused is not None:
            return _leave_open(unit, intent)
        witness = loadevidence if intent.kind == rec.KIND_LOAD_INTENT else evidence
        seen = witness.gather(visit.session, intent)
    except Fault:
        return _leave_open(unit, intent)
    result = _conclude(unit, intent, witness.decide(intent, seen), _told(seen))
    if result.name == "APPROVED_FOUND_LATER":
        visit.ef06 = None
        finish_totals(unit, visit, intent)
    return _show(unit, intent, result)


def finish_totals(unit: Unit, visit: Visit, intent: Record) -> None:
    """Steps 14 and 15; a card torn here leaves the totals open for its next visit."""
    has_ef06 = intent.body.get(rec.KEY_EF06) is not None
    if not has_ef06 and rec.KEY_SPECIAL not in intent.body:
        return
    try:
        if has_ef06 and visit.ef06 is None:
            offline.read_totals(unit, visit)
        offline.write_totals(unit, visit, intent)
    except Fault:
        return


def _told(seen: evidence.Evidence) -> dict[str, object]:
    account, yearly_self, yearly_pooled = seen.balances
    return {
        "serial": seen.serial,
        "account_fen": account,
        "yearly_self_fen": yearly_self,
        "yearly_pooled_fen": yearly_pooled,
        "log_records": len(seen.log),
        "proof": seen.proof is not None,
    }


def _leave_open(unit: Unit, intent: Record) -> Outcome:
    return _show(unit, intent, outcome("PUT_CARD_BACK"))


def _show(unit: Unit, intent: Record, result: Outcome) -> Outcome:
    body = intent.body
    amounts = (rec.KEY_ACCOUNT_FEN, rec.KEY_SELF_FEN, rec.KEY_POOLED_FEN, rec.KEY_LOAD_FEN)
    amount = yuan(sum(body.get(key, 0) for key in amounts))
    unit.show(result.name, order_no=str(body[rec.KEY_ORDER_NO]), amount=amount)
    return result


def _conclude(
    unit: Unit, intent: Record, finding: evidence.Finding, told: dict[str, object]
) -> Outcome:
    result = outcome(_OUTCOME[finding.kind])
    body: dict[int, object] = {
        rec.KEY_INTENT: intent.number,
        rec.KEY_OUTCOME: result.number,
        rec.KEY_EVIDENCE: {"why": finding.why, **told},
    }
    if finding.kind == rec.KIND_DONE:
        body[rec.KEY_MAC2_STATE] = MAC2_UNCHECKED
    if finding.kind in (rec.KIND_DONE, rec.KIND_LOAD_DONE):
        body[rec.KEY_TAC_STATE] = TAC_LOST if finding.tac is None else TAC_PRESENT
        body[rec.KEY_KNOWN_BY] = finding.known_by
        if finding.tac is not None:
            body[rec.KEY_TAC] = finding.tac
    uncertain = _UNCERTAIN[intent.kind]
    is_known = unit.journal.payment_state(intent.number) == uncertain
    if not (is_known and finding.kind == uncertain):  # it is written down once
        unit.journal.append(finding.kind, body)
    return result


def resolve_now(
    unit: Unit, reader: Reader, intent: Record, buffer: PinBuffer, until: float
) -> Outcome:
    """Right after a lost answer: power the card up again, wait for it if it left, and recover.

    until: a moment of unit.monotonic.  The PIN in the buffer asks nothing of the holder again.
    """
    reader.power_off()
    put_back = outcome("PUT_CARD_BACK")
    said: Outcome | None = None
    while unit.monotonic() < until and not unit.is_cancelled():
        visit = _same_card(unit, intent)
        if isinstance(visit, Visit):
            result = said = recover(unit, visit, intent, buffer)
            if result != put_back:
                return result
        elif visit != said:
            said = _show(unit, intent, visit)
        unit.wait(_POLL_S)
    return put_back


def _same_card(unit: Unit, intent: Record) -> Visit | Outcome:
    """The INTENT's card, or what to say of that which is there instead.

    A card that cannot be read, or not beside another one, or whose reader is away, is as good as
    away: PUT_CARD_BACK.
    """
    try:
        cards = unit.cards_in_reach()
        if len(cards) != 1:
            return outcome("PUT_CARD_BACK")
        visit = begin(unit, cards[0])
        refused = read_identity(unit, visit)
    except Fault:
        return outcome("PUT_CARD_BACK")
    if refused is None and _is_of(intent, visit):
        return visit
    cards[0].power_off()
    return outcome("ANOTHER_CARD")


def write_overdue(unit: Unit) -> None:
    """INTENTs open longer than uncertain_after_h become UNCERTAIN; other cards are served on."""
    limit_ms = int(unit.board.journal.uncertain_after_h * 3_600_000)
    now_ms = unit.clock.now().epoch_ms
    for intent in (*unit.journal.open_intents(), *unit.journal.open_loads()):
        if unit.journal.payment_state(intent.number) != intent.kind:
            continue
        if now_ms - intent.time_ms >= limit_ms:
            finding = evidence.Finding(_UNCERTAIN[intent.kind], "the card stayed away")
            _show(unit, intent, _conclude(unit, intent, finding, {}))
