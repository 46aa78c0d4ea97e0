"""M14: one payment from the account, as records, as the card's money, as outcomes."""

from __future__ import annotations

from pathlib import Path

import pytest

from firmware.journal import kinds as rec
from firmware.journal.record import whole_intent
from simulator.slot import Cut
from tests.rig import TERMINAL, Rig

GENERATIONS = ["1.0", "2.0", "3.0"]


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path)


@pytest.mark.parametrize("generation", GENERATIONS)
def test_m14_a_payment_moves_the_cards_money_and_leaves_intent_done_totals(
    rig: Rig, generation: str
) -> None:
    rig.psam()
    card = rig.card(generation=generation, has_ef06=generation != "1.0", balance_fen=50_000)

    assert rig.pay(1000, 200, 300).name == "APPROVED"

    assert card.balance_fen == 49_000
    assert (card.yearly_self_fen, card.yearly_pooled_fen) == (200, 300)
    totals = [] if generation == "1.0" else ["TOTALS"]
    assert rig.kinds() == ["INTENT", "DONE", *totals]
    told = rig.result()
    assert told["state"] == "DONE"
    assert told["terminal"] == TERMINAL
    assert told["tac"] is not None


def test_m14_the_intent_holds_all_that_recovery_and_office_need(rig: Rig) -> None:
    rig.psam()
    card = rig.card()
    rig.pay(1000, 200, 300)
    intent, done = rig.unit.journal.by_order(rig.order_no)[:2]
    body = intent.body
    assert body[rec.KEY_CARD_ID] == card.card_id
    assert body[rec.KEY_CARD_NUMBER] == card.card_number
    assert whole_intent(body)[rec.KEY_AMOUNTS_SENT].hex() == "000003e8000000c80000012c"
    assert body[rec.KEY_ACCOUNT_BALANCE_FEN] == 100_000
    assert body[rec.KEY_EF06] == [1, 0, 0]
    assert body[rec.KEY_TIME7].hex().startswith("20261122")
    assert done.body[rec.KEY_MAC2_STATE] == 1
    assert done.body[rec.KEY_TAC_STATE] == 1


def test_m14_the_cards_offline_totals_are_written_and_read_back(rig: Rig) -> None:
    rig.psam()
    rig.card(offline_total_fen=700, offline_count=3)
    rig.pay(1000, 200, 300)
    rig.unit.journal.flush()
    totals = next(r for r in rig.unit.journal.records() if r.kind == rec.KIND_TOTALS)
    assert totals.body[rec.KEY_TOTAL_FEN] == 2200
    assert totals.body[rec.KEY_COUNT] == 4
    assert rig.pay(100, 0, 0).name == "APPROVED"
    intent = rig.unit.journal.by_order(rig.order_no)[0]
    assert intent.body[rec.KEY_EF06] == [1, 2200, 4]


def test_m14_the_screen_says_working_before_totals_and_the_result_after(rig: Rig) -> None:
    rig.psam()
    rig.card()
    rig.pay()
    assert rig.shown == ["READING_CARD", "ENTER_PIN", "WORKING_LEAVE_CARD", "APPROVED"]


FOLLOWING = {*rec.ABSENT_FROM_INTENT, rec.KEY_AMOUNTS_SENT, rec.KEY_YEAR}


def test_m14_what_follows_from_the_rest_is_not_written_twice(rig: Rig) -> None:
    rig.psam()
    rig.card(year="2026")
    rig.pay(1000, 200, 300)
    body = rig.unit.journal.by_order(rig.order_no)[0].body
    assert body.keys().isdisjoint(FOLLOWING)
    whole = whole_intent(body)
    assert {key: whole[key] for key in FOLLOWING} == {
        rec.KEY_ALGORITHM: 1,
        rec.KEY_KEY_INDEX: 1,
        rec.KEY_KEY_VERSION: 1,
        rec.KEY_AMOUNTS_SENT: bytes.fromhex("000003e8000000c80000012c"),
        rec.KEY_TYPE: 0x32,
        rec.KEY_YEAR: bytes.fromhex("2026"),
        rec.KEY_MAPPING: 1,
    }
    assert rig.result()["type"] == "32"


def test_national_mapping_moves_totals_and_no_balance(tmp_path: Path) -> None:
    rig = Rig(tmp_path, edit={'amount_mapping = "literal"': 'amount_mapping = "national"'})
    rig.psam()
    card = rig.card(balance_fen=5000)
    assert rig.pay(1000, 200, 300).name == "APPROVED"
    assert card.balance_fen == 5000
    assert (card.yearly_self_fen, card.yearly_pooled_fen) == (1500, 1300)
    body = rig.unit.journal.by_order(rig.order_no)[0].body
    assert body[rec.KEY_MAPPING] == 2
    assert body[rec.KEY_AMOUNTS_SENT].hex() == "00000000000005dc00000514"


def test_m1_a_wrong_pin_then_the_right_one_pays_and_shows_tries(rig: Rig) -> None:
    rig.psam()
    rig.card(tries=6)
    rig.world.holder.type_pin("000000")
    assert rig.pay(pin="123456").name == "APPROVED"
    assert rig.shown.count("PIN_WRONG_RETRY") == 1


def test_m1_wrong_pins_decline_and_take_nothing(rig: Rig) -> None:
    rig.psam()
    card = rig.card(tries=6)
    for _ in range(2):
        rig.world.holder.type_pin("000000")
    assert rig.pay(pin="111111").name == "PIN_WRONG"
    assert rig.fields["tries_left"] == "3"
    assert card.balance_fen == 100_000
    assert rig.kinds() == ["DECLINED"]


def test_m1_the_last_wrong_try_locks_the_card(rig: Rig) -> None:
    rig.psam()
    rig.card(tries=1)
    assert rig.pay(pin="000000").name == "PIN_LOCKED"
    assert rig.pay().name == "PIN_LOCKED"


# What is wrong -> the numbered outcome.  Each leaves one DECLINED record and the money alone.
REFUSALS = [
    ({"expiry": "20251231"}, {}, "CARD_OUT_OF_DATE"),
    ({"pin": None}, {}, "PIN_NOT_SET"),
    ({"card_use_mode": "1"}, {}, "CARD_ONLINE_ONLY"),
    ({"offline_permitted": False}, {}, "OFFLINE_NOT_PERMITTED"),
    ({"offline_total_fen": 499_000}, {}, "OFFLINE_CEILING_REACHED"),
    ({"offline_count": 50}, {}, "OFFLINE_CEILING_REACHED"),
    ({"balance_fen": 999}, {}, "INSUFFICIENT_FUNDS"),
    ({}, {"start": "20270101"}, "PSAM_OUT_OF_DATE"),
    ({}, {"expiry": "20261121"}, "PSAM_OUT_OF_DATE"),
    ({}, {"terminal_number": "510100000002"}, "PSAM_SWAPPED"),
]


@pytest.mark.parametrize(("card", "psam", "name"), REFUSALS)
def test_refusals_before_intent_take_nothing(rig: Rig, card: dict, psam: dict, name: str) -> None:
    rig.psam(**psam)
    issued = rig.card(**card)
    before = issued.balance_fen
    assert rig.pay().name == name
    assert issued.balance_fen == before
    assert rig.kinds() == ["DECLINED"]
    assert rig.result()["state"] == "DECLINED"
    assert rig.shown[-1] == name


def test_m9_a_psam_of_another_region_is_refused(tmp_path: Path) -> None:
    rig = Rig(tmp_path, edit={'terminal_number = "510100000001"\n': ""})
    rig.psam(terminal_number="440100000001")
    rig.card()
    assert rig.pay().name == "PSAM_OF_OTHER_REGION"


def test_a_card_of_another_region_is_refused(tmp_path: Path) -> None:
    rig = Rig(tmp_path, edit={'regions = ["51"]': 'regions = ["44"]'})
    rig.psam()
    rig.card()
    assert rig.pay().name == "CARD_OF_OTHER_REGION"


@pytest.mark.parametrize(
    ("limit", "amount", "name"),
    [
        ("transaction_fen = 100000", 100_001, "OVER_TRANSACTION_LIMIT"),
        ("day_fen = 1000000", 1_500, "OVER_DAY_LIMIT"),
        ("card_day_fen = 300000", 1_500, "OVER_CARD_LIMIT"),
    ],
)
def test_limits_for_one_payment_a_day_and_a_card(
    tmp_path: Path, limit: str, amount: int, name: str
) -> None:
    edit = {}
    if "day" in limit:
        key = limit.split(" =")[0]
        edit = {f"\n{limit}": f"\n{key} = 2000"}
    rig = Rig(tmp_path, edit=edit)
    rig.psam()
    rig.card()
    if edit:
        assert rig.pay(1000, 0, 0).name == "APPROVED"
    assert rig.pay(amount, 0, 0).name == name


def test_the_days_limit_counts_records_across_a_restart(tmp_path: Path) -> None:
    rig = Rig(tmp_path, edit={"\nday_fen = 1000000": "\nday_fen = 2000"})
    rig.psam()
    rig.card()
    assert rig.pay(1500, 0, 0).name == "APPROVED"
    rig.restart()
    assert rig.pay(600, 0, 0).name == "OVER_DAY_LIMIT"
    rig.hands.now_s += 86_400
    assert rig.pay(600, 0, 0).name == "APPROVED"


def test_time_that_is_not_trusted_takes_no_payment(tmp_path: Path) -> None:
    rig = Rig(tmp_path, edit={"rtc = true": "rtc = false"})
    rig.psam()
    rig.card()
    assert rig.pay().name == "CLOCK_NOT_TRUSTED"
    rig.unit.clock.set_office_time(int(rig.hands.wall() * 1000))
    assert rig.pay().name == "APPROVED"
    rig.hands.now_s += 48 * 3600 + 1
    assert rig.pay().name == "CLOCK_NOT_TRUSTED"


def test_a_clock_that_jumped_back_takes_no_payment(rig: Rig) -> None:
    rig.psam()
    rig.card()
    assert rig.pay().name == "APPROVED"
    rig.hands.wall_offset_s -= 3600
    assert rig.pay().name == "CLOCK_JUMPED_BACK"


def test_two_payments_of_one_card_never_share_a_second(rig: Rig) -> None:
    rig.psam()
    rig.card()
    rig.pay()
    first = rig.unit.journal.by_order(rig.order_no)[0].body[rec.KEY_TIME7]
    rig.hands.wall_offset_s -= 1  # pay() moves on a second: take it back
    rig.pay()
    assert rig.unit.journal.by_order(rig.order_no)[0].body[rec.KEY_TIME7] > first


def test_a_card_with_too_little_is_told_its_balance(rig: Rig) -> None:
    rig.psam()
    rig.card(balance_fen=950)
    assert rig.pay(1000, 0, 0).name == "INSUFFICIENT_FUNDS"
    assert rig.fields["balance"] == "9.50"


def test_an_order_behind_an_open_payment_of_its_card_is_not_begun(rig: Rig) -> None:
    rig.psam()
    card = rig.card()
    rig.user.arm(Cut(0x2C, 1, "after"))
    assert rig.pay().name == "PUT_CARD_BACK"
    rig.world.insert("user", card.label)
    assert rig.pay(pin=None).name == "EARLIER_PAYMENT_OPEN"
    assert rig.result()["state"] == "DECLINED"
    assert rig.pay().name == "APPROVED"
    assert card.balance_fen == 98_000
