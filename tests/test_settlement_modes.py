"""M14: the card's year rule, and cards that keep an account only, as a payment meets them.

The rule runs in the card (SPEC-P7): n = today - start of its year; from 10000 on a new year begins
and the yearly totals restart with that payment.  Today is 2026-11-22.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from firmware.authorize.service import serve
from firmware.authorize.services import SERVICES
from firmware.journal import kinds as rec
from simulator.slot import AFTER, BEFORE, LOST, Cut
from tests.rig import Rig
from tests.torn import DEBIT, PAID, START_FEN, pay_torn, put_back

OWN, POOLED = 5000, 7000  # the yearly totals before


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    made = Rig(tmp_path)
    made.psam()
    return made


def told_by_balance(rig: Rig) -> dict[str, Any]:
    rig.world.holder.forget()
    rig.world.holder.type_pin("123456")
    result, told = serve(rig.unit, rig.user, "balance", SERVICES["balance"], {})
    assert result.name == "SERVED"
    return told


ROWS = [
    ("the same year", "2026", "0101", False),
    ("the last day of a year that began in November", "2025", "1123", False),
    ("its first anniversary", "2025", "1122", True),
    ("a calendar year later", "2025", "0101", True),
    ("years later", "2020", "0701", True),
    ("a year that begins later in 2026", "2026", "1201", False),
]


def year_of(intent: dict[int, Any]) -> str:
    return intent.get(rec.KEY_YEAR, intent[rec.KEY_TIME7][:2]).hex()


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
@pytest.mark.parametrize("when", [None, BEFORE, AFTER, LOST])
def test_m14_the_yearly_totals_go_on_or_restart_and_the_records_say_so(
    rig: Rig, row: tuple[str, str, str, bool], when: str | None
) -> None:
    _, year, start_day, is_new = row
    card = rig.card(year=year, start_day=start_day, yearly_self_fen=OWN, yearly_pooled_fen=POOLED)
    if when is None:
        assert rig.pay(*PAID).name == "APPROVED"
    else:
        pay_torn(rig, card, Cut(DEBIT, 1, when))
        assert rig.result()["state"] == ("VOID" if when == BEFORE else "DONE")
    intent = rig.unit.journal.by_order(rig.order_no)[0].body
    assert year_of(intent) == year  # before the payment
    assert (rec.KEY_YEAR in intent) is (year != "2026")  # else it is that of time7
    assert (intent[rec.KEY_YEARLY_SELF_FEN], intent[rec.KEY_YEARLY_POOLED_FEN]) == (OWN, POOLED)
    expected = (OWN, POOLED)
    if when != BEFORE:
        expected = PAID[1:] if is_new else (OWN + PAID[1], POOLED + PAID[2])
    put_back(rig, card)()
    told = told_by_balance(rig)
    assert (told["yearly_self_fen"], told["yearly_pooled_fen"]) == expected
    rig.world.holder.forget()
    assert rig.pay(*PAID).name == "APPROVED"
    later = rig.unit.journal.by_order(rig.order_no)[0].body
    assert (later[rec.KEY_YEARLY_SELF_FEN], later[rec.KEY_YEARLY_POOLED_FEN]) == expected
    if is_new and when != BEFORE:
        assert year_of(later) == "2026"


@pytest.mark.parametrize("when", [None, BEFORE, AFTER, LOST])
def test_m14_an_account_only_card_pays_from_its_account_and_recovers(
    rig: Rig, when: str | None
) -> None:
    """Its log has 20 bytes a record, its yearly totals carry no meaning and never move."""
    card = rig.card(account_only=True, yearly_self_fen=OWN, yearly_pooled_fen=POOLED)
    if when is None:
        assert rig.pay(*PAID).name == "APPROVED"
    else:
        pay_torn(rig, card, Cut(DEBIT, 1, when))
    paid = int(when != BEFORE)
    assert rig.result()["state"] == ("DONE" if paid else "VOID")
    put_back(rig, card)()
    told = told_by_balance(rig)
    assert told["account_fen"] == START_FEN - paid * PAID[0]
    assert (card.yearly_self_fen, card.yearly_pooled_fen) == (OWN, POOLED)
    assert [(each["account_fen"], each["self_fen"]) for each in told["settlements"]] == [
        (PAID[0], None)
    ] * paid
    assert {len(each) for each in card.log} <= {20}


def test_m14_an_account_only_card_spends_its_last_fen_and_no_more(rig: Rig) -> None:
    card = rig.card(account_only=True, balance_fen=PAID[0])
    assert rig.pay(*PAID).name == "APPROVED"
    rig.world.holder.forget()
    assert rig.pay(1, 0, 0).name == "INSUFFICIENT_FUNDS"
    assert card.balance_fen == 0
    assert rig.fields["balance"] == "0.00"
