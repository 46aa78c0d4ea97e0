"""One purchase, from the request to the last record: the numbered steps of docs/architecture.md."""

from __future__ import annotations

from dataclasses import dataclass

from firmware.authorize import identify, initialpin, limits, offline, psamwatch, recovery
from firmware.authorize.logon import check_payer
from firmware.authorize.pin import PinBuffer, prove_holder
from firmware.authorize.pinpolicy import check_initial_pin
from firmware.authorize.request import MAPPINGS, Request
from firmware.authorize.service import settled
from firmware.authorize.unit import Unit, yuan
from firmware.authorize.visit import Visit, begin, factors, outcome_of
from firmware.card import commands, files, settlement
from firmware.card.settlement import Initialized
from firmware.channel import Reader
from firmware.clock import TRUST_NONE
from firmware.journal import kinds, record
from firmware.outcome import Fault, Outcome, StatusError, outcome

KNOWN_BY_ANSWER = 1
MAC2_CHECKED, MAC2_REFUSED, MAC2_UNCHECKED = 1, 2, 3
TAC_PRESENT = 1
PIN_KEPT_S = 60.0  # for the recovery of the purchase it was entered for
_NEXT_SECOND_S = 2.0

# What CREDIT SAM told -> (record kind, mac2 state, outcome)
_AFTER_CREDIT = {
    True: (kinds.KIND_DONE, MAC2_CHECKED, "APPROVED"),
    False: (kinds.KIND_SUSPECT, MAC2_REFUSED, "PAYMENT_SUSPECT"),
    None: (kinds.KIND_DONE, MAC2_UNCHECKED, "APPROVED_UNCHECKED"),
}


@dataclass(frozen=True)
class Prepared:
    """What steps 1 to 9 yield: after them only the journal stands before DEBIT."""

    visit: Visit
    amounts: bytes  # 12, as sent to the card
    mapping: int
    terminal: bytes  # 6
    key_index: int
    initialized: Initialized
    time7: bytes
    terminal_serial: bytes  # 4
    mac1: bytes  # 4


@dataclass(frozen=True)
class Declined:
    """Nothing has happened, and why."""

    why: Outcome
    visit: Visit | None = None
    detail: str = ""


def check_before_card(unit: Unit, request: Request) -> Outcome | None:
    """The rules that need no card; a refusal is shown and journaled."""
    try:
        why, detail = check_payer(unit, request.operator) or limits.check_rules(unit, request), ""
    except Fault as fault:
        why, detail = outcome_of(fault), fault.what
    return None if why is None else decline(unit, request, Declined(why, detail=detail))


def purchase(unit: Unit, reader: Reader, request: Request) -> Outcome:
    """Serve the request with the card in that reader; the journal holds the result.

    The card is powered down at the end, whatever happened.  Raises JournalError: before INTENT
    nothing has happened, after it the INTENT is open and the card's return settles it.
    """
    with PinBuffer() as buffer:
        try:
            prepared = _prepare(unit, reader, request, buffer)
            if isinstance(prepared, Declined):
                return decline(unit, request, prepared)
            return _commit(unit, prepared, request, buffer)
        finally:
            reader.power_off()


def _prepare(
    unit: Unit, reader: Reader, request: Request, buffer: PinBuffer
) -> Prepared | Declined:
    """Steps 1 to 9.  A fault here means that nothing has happened."""
    visit = None
    unit.show("READING_CARD")
    try:
        visit = begin(unit, reader)  # power-up
        refused = identify.read_identity(unit, visit)  # 1, 2
        if refused is None:
            visit, refused = settled(unit, visit, buffer)
        refused = (
            refused
            or identify.check_identity(unit, visit)
            or limits.check_card_limit(unit, visit.card_id, request)
            or identify.prove_genuine(unit, visit)  # 3
            or identify.read_holder(unit, visit)  # 4
            or _select_df04(unit, visit, buffer)  # 5
            or prove_holder(unit, visit, buffer)  # 6
            or check_initial_pin(unit, visit, buffer, request)
            or offline.check_mode(unit, visit)  # 7
            or _check_totals(unit, visit, request)
            or unit.look_at_case()
        )
        if refused is not None:
            return Declined(refused, visit)
        return _initialize(unit, visit, request)  # 8, 9
    except Fault as fault:
        return Declined(outcome_of(fault), visit, fault.what)


def _select_df04(unit: Unit, visit: Visit, buffer: PinBuffer) -> Outcome | None:
    initialpin.learn(unit, visit, buffer)  # while EF06 can be read
    visit.session.select_df(files.DF04_FID)
    return None


def _check_totals(unit: Unit, visit: Visit, request: Request) -> Outcome | None:
    offline.read_totals(unit, visit)
    offline.close_open_totals(unit, visit)
    return offline.check_ceilings(unit, visit, request)


def _initialize(unit: Unit, visit: Visit, request: Request) -> Prepared | Declined:
    """Steps 8 and 9: what the card and the PSAM put into the payment.  Neither moves money."""
    identity = unit.psam.identity
    if identity is None:
        return Declined(outcome("PSAM_MISSING"), visit)
    rules = unit.board.purchase
    mapping = MAPPINGS[rules.amount_mapping]
    amounts = request.amounts_sent(mapping)
    key_index = identity.key_index or rules.key_index
    try:
        initialized = settlement.initialize_for_purchase(  # 8
            visit.session, key_index, amounts, identity.terminal
        )
    except StatusError as error:
        if error.sw == commands.SW_INSUFFICIENT_FUNDS:
            visit.balance_fen = settlement.get_balance(visit.session, 1)
        raise
    time7 = _time7(unit, visit)
    if time7 is None:
        return Declined(outcome("CLOCK_NOT_TRUSTED"), visit)
    terminal_serial, mac1 = unit.psam.init_sam_for_purchase(  # 9
        initialized.random,
        initialized.serial_bytes,
        amounts,
        commands.TYPE_SETTLEMENT,
        time7,
        initialized.key_version,
        initialized.algorithm,
        factors(unit, visit),
    )
    return Prepared(
        visit,
        amounts,
        mapping,
        identity.terminal,
        key_index,
        initialized,
        time7,
        terminal_serial,
        mac1,
    )


def _time7(unit: Unit, visit: Visit) -> bytes | None:
    """The payment's moment, trusted still, and never the same twice for one card.

    The card's log is matched on terminal, time and amounts, so two payments need two seconds.
    """
    until = unit.monotonic() + _NEXT_SECOND_S
    while unit.monotonic() <= until:
        now = unit.clock.now()
        time7 = unit.clock.seven_bytes(now.epoch_ms)
        if now.trust == TRUST_NONE:
            return None
        if unit.last_moment != (visit.card_id, time7):
            unit.last_moment = (visit.card_id, time7)
            return time7
        unit.wait(0.05)
    return None


def _commit(unit: Unit, p: Prepared, request: Request, buffer: PinBuffer) -> Outcome:
    """Steps 10 to 15.  From INTENT on every end is a record that names it."""
    intent = unit.journal.append(kinds.KIND_INTENT, _intent_body(p, request))  # 10
    try:
        tac, mac2 = settlement.debit_for_purchase(  # 11
            p.visit.session, p.terminal_serial, p.time7, p.mac1
        )
    except Fault:
        return _after_lost_answer(unit, p.visit.reader, intent, buffer)
    kind, mac2_state, name = _AFTER_CREDIT[unit.psam.credit_sam_for_purchase(mac2)]  # 12
    result = outcome(name)
    unit.journal.append(  # 13
        kind,
        {
            kinds.KEY_INTENT: intent.number,
            kinds.KEY_TAC: tac,
            kinds.KEY_MAC2: mac2,
            kinds.KEY_MAC2_STATE: mac2_state,
            kinds.KEY_TAC_STATE: TAC_PRESENT,
            kinds.KEY_KNOWN_BY: KNOWN_BY_ANSWER,
            kinds.KEY_OUTCOME: result.number,
        },
    )
    if kind == kinds.KIND_DONE:
        unit.show("WORKING_LEAVE_CARD")
        recovery.finish_totals(unit, p.visit, intent)  # 14, 15
    unit.show(result.name, amount=yuan(request.total_fen), order_no=request.order_no)
    return result


def _after_lost_answer(
    unit: Unit, reader: Reader, intent: record.Record, buffer: PinBuffer
) -> Outcome:
    """DEBIT did not answer 9000 with 8 bytes: never again DEBIT, only evidence."""
    until = unit.monotonic() + min(PIN_KEPT_S, unit.board.timing.removal_s)
    result = recovery.resolve_now(unit, reader, intent, buffer, until)
    psamwatch.note_serial(unit)
    return result


def _intent_body(p: Prepared, request: Request) -> dict[int, object]:
    body: dict[int, object] = {
        kinds.KEY_ORDER_NO: request.order_no,
        kinds.KEY_OPERATOR: request.operator,
        kinds.KEY_TERMINAL: p.terminal,
        kinds.KEY_TERMINAL_SERIAL: p.terminal_serial,
        kinds.KEY_CARD_ID: p.visit.card_id,
        kinds.KEY_CARD_NUMBER: p.visit.card_number,
        kinds.KEY_HISTORICAL: p.visit.historical,
        kinds.KEY_ALGORITHM: p.initialized.algorithm,
        kinds.KEY_KEY_INDEX: p.key_index,
        kinds.KEY_KEY_VERSION: p.initialized.key_version,
        kinds.KEY_PURCHASE_SERIAL: p.initialized.purchase_serial,
        kinds.KEY_CARD_RANDOM: p.initialized.random,
        kinds.KEY_AMOUNTS_SENT: p.amounts,
        kinds.KEY_TYPE: commands.TYPE_SETTLEMENT,
        kinds.KEY_TIME7: p.time7,
        kinds.KEY_MAC1: p.mac1,
        kinds.KEY_ACCOUNT_BALANCE_FEN: p.initialized.account_fen,
        kinds.KEY_YEARLY_SELF_FEN: p.initialized.yearly_self_fen,
        kinds.KEY_YEARLY_POOLED_FEN: p.initialized.yearly_pooled_fen,
        kinds.KEY_YEAR: p.initialized.year,
        kinds.KEY_ACCOUNT_FEN: request.account_fen,
        kinds.KEY_SELF_FEN: request.self_fen,
        kinds.KEY_POOLED_FEN: request.pooled_fen,
        kinds.KEY_MAPPING: p.mapping,
    }
    if p.visit.ef06 is not None:
        body[kinds.KEY_EF06] = list(p.visit.ef06)
    if request.special is not None:
        body[kinds.KEY_SPECIAL] = request.special
    return record.short_intent(body)


def _shown_fields(request: Request, visit: Visit | None) -> dict[str, str]:
    fields = {"amount": yuan(request.total_fen), "order_no": request.order_no}
    if visit is not None and visit.tries_left is not None:
        fields["tries_left"] = str(visit.tries_left)
    if visit is not None and visit.balance_fen is not None:
        fields["balance"] = yuan(visit.balance_fen)
    return fields


def decline(unit: Unit, request: Request, declined: Declined) -> Outcome:
    """Nothing has happened: say so on the screen and in the journal."""
    why, visit = declined.why, declined.visit
    unit.show(why.name, **_shown_fields(request, visit))
    body: dict[int, object] = {
        kinds.KEY_ORDER_NO: request.order_no,
        kinds.KEY_OPERATOR: request.operator,
        kinds.KEY_ACCOUNT_FEN: request.account_fen,
        kinds.KEY_SELF_FEN: request.self_fen,
        kinds.KEY_POOLED_FEN: request.pooled_fen,
        kinds.KEY_OUTCOME: why.number,
    }
    if visit is not None and visit.card_id:
        body |= {kinds.KEY_CARD_ID: visit.card_id, kinds.KEY_CARD_NUMBER: visit.card_number}
    detail = declined.detail or (visit.note if visit is not None else "")
    if detail:
        body[kinds.KEY_DETAIL] = detail
    unit.journal.append(kinds.KIND_DECLINED, body)
    return why
