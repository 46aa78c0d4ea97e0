"""Offline permission and ceilings before a payment (step 7), the totals after it (14, 15)."""

from __future__ import annotations

from firmware.authorize import special
from firmware.authorize.request import Request
from firmware.authorize.unit import Unit
from firmware.authorize.visit import Visit, external_authenticate
from firmware.card import files, values
from firmware.card.commands import SW_SECURITY_STATUS
from firmware.card.text import text
from firmware.journal import kinds as rec
from firmware.journal.record import Record
from firmware.outcome import Outcome, ProtocolError, StatusError, outcome
from firmware.psam.keytable import RK1DF04, UK2DF04

MODE_ONLINE = b"1"
SW_NO_KEY = 0x6A88
MAX_COUNT = 99  # an 02
MAX_TOTAL_FEN = 99_999_999  # cn 4

WRITTEN = 1
NOT_WRITTEN = 2


def check_mode(unit: Unit, visit: Visit) -> Outcome | None:
    """EF05 tag 8F: a card set to online takes no offline payment; an absent tag says nothing."""
    if visit.session.read_item(files.CARD_USE_MODE) == MODE_ONLINE:
        return outcome("CARD_ONLINE_ONLY")
    return None


def read_totals(unit: Unit, visit: Visit) -> None:
    """Set visit.ef06 from EF06 tags 90, 92, 93; None where card or region has no EF06."""
    visit.ef06 = None
    if unit.board.purchase.ef06 == "off" or visit.version == "1.0":
        return
    try:
        external_authenticate(unit, visit, RK1DF04, files.KEY_RK1DF04)
    except StatusError as error:
        if error.sw == SW_NO_KEY:  # a card personalised without EF06 has no key for it
            return
        raise
    permitted = visit.session.read_item(files.OFFLINE_PERMITTED)
    if permitted is None:
        return
    total_fen, count = _read_92_93(visit)
    visit.ef06 = (1 if permitted == b"1" else 0, total_fen, count)


def _read_92_93(visit: Visit) -> tuple[int, int]:
    total = visit.session.read_item(files.OFFLINE_TOTAL)
    count = visit.session.read_item(files.OFFLINE_COUNT)
    try:
        return values.fen(total or b""), int(text(count or b"") or "0")
    except ValueError:
        raise ProtocolError("offline totals are not in their form") from None


def check_ceilings(unit: Unit, visit: Visit, request: Request) -> Outcome | None:
    if visit.ef06 is None:
        return None
    permitted, total_fen, count = visit.ef06
    if not permitted:
        return outcome("OFFLINE_NOT_PERMITTED")
    rules = unit.board.purchase
    most_fen = min(rules.offline_total_fen, MAX_TOTAL_FEN)
    if total_fen + request.total_fen > most_fen or count + 1 > min(rules.offline_count, MAX_COUNT):
        return outcome("OFFLINE_CEILING_REACHED")
    return None


def close_open_totals(unit: Unit, visit: Visit) -> None:
    """A payment of this card whose totals were torn: set them now, or tell the office.

    Absolute values, and only while each item still holds the INTENT's value or the new one: an
    online settlement in between has zeroed them, and another terminal may have counted on.
    """
    for intent in unit.journal.open_totals(visit.card_id):
        write_totals(unit, visit, intent)


def write_totals(unit: Unit, visit: Visit, intent: Record) -> None:
    """Steps 14 and 15 for that payment, which read EF06 or has a special class.

    Faults of the card leave the totals open.
    """
    kept = special.write(unit, visit, intent)
    before = intent.body.get(rec.KEY_EF06)
    if before is None or visit.ef06 is None:
        detail = "no EF06 was read" if before is None else "the card shows no EF06 any more"
        _totals(unit, intent, NOT_WRITTEN, detail=detail, kept=kept)
        return
    _, old_fen, old_count = before
    new_fen, new_count = old_fen + _total_fen(intent), old_count + 1
    permitted, now_fen, now_count = visit.ef06
    if now_fen not in (old_fen, new_fen) or now_count not in (old_count, new_count):
        detail = f"92 holds {now_fen}, 93 holds {now_count}: changed elsewhere"
        _totals(unit, intent, NOT_WRITTEN, detail=detail, kept=kept)
        return
    if (now_fen, now_count) != (new_fen, new_count):
        external_authenticate(unit, visit, UK2DF04, files.KEY_UK2DF04)
        visit.session.update_item(files.OFFLINE_TOTAL, values.fen_value(new_fen))
        visit.session.update_item(files.OFFLINE_COUNT, b"%02d" % new_count)
        if _read_again(unit, visit) != (new_fen, new_count):
            raise ProtocolError("the card's totals read back otherwise than written")
    visit.ef06 = (permitted, new_fen, new_count)
    _totals(unit, intent, WRITTEN, new_fen, new_count, kept=kept)


def _read_again(unit: Unit, visit: Visit) -> tuple[int, int]:
    try:
        return _read_92_93(visit)
    except StatusError as error:
        if error.sw != SW_SECURITY_STATUS:
            raise
    # This card keeps one authentication at a time: UK2DF04 has replaced RK1DF04.
    external_authenticate(unit, visit, RK1DF04, files.KEY_RK1DF04)
    return _read_92_93(visit)


def _total_fen(intent: Record) -> int:
    body = intent.body
    return int(body[rec.KEY_ACCOUNT_FEN] + body[rec.KEY_SELF_FEN] + body[rec.KEY_POOLED_FEN])


def _totals(
    unit: Unit,
    intent: Record,
    state: int,
    total_fen: int | None = None,
    count: int | None = None,
    detail: str = "",
    kept: int | None = None,
) -> None:
    """kept: what became of the special settlement's record, None for a payment without a class."""
    body: dict[int, object] = {rec.KEY_INTENT: intent.number, rec.KEY_TOTALS_STATE: state}
    if total_fen is not None and count is not None:
        body |= {rec.KEY_TOTAL_FEN: total_fen, rec.KEY_COUNT: count}
    if detail:
        body[rec.KEY_DETAIL] = detail
    if kept is not None:
        body[rec.KEY_SPECIAL_STATE] = kept
    unit.journal.append(rec.KIND_TOTALS, body, ride=True)
