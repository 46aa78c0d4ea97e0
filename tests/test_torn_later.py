"""M14: cards torn twice, taken elsewhere, exchanged, or gone for long; PSAMs that say no."""

from __future__ import annotations

from pathlib import Path

import pytest

from firmware.authorize import identify, recovery
from firmware.authorize.pin import PinBuffer
from firmware.authorize.visit import begin
from firmware.journal import kinds as rec
from simulator.slot import AFTER, BEFORE, LOST, Cut
from simulator.switches import Switches
from tests.rig import Rig
from tests.torn import DEBIT, PAID, START_FEN, check_money, pay_torn, put_back, settle


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path)


@pytest.mark.parametrize("when", [BEFORE, AFTER])
def test_m14_torn_twice_in_a_row(rig: Rig, when: str) -> None:
    """Torn at DEBIT, and the recovery torn at each of its exchanges in turn."""
    rig.psam()
    card = rig.card()
    for nth in range(1, 20):
        rig.world.holder.forget()
        before = card.balance_fen
        rig.user.arm(Cut(DEBIT, 1, when))
        rig.hands.later(0.3, put_back(rig, card))
        rig.hands.later(0.3, lambda nth=nth: rig.user.arm(Cut(None, nth, AFTER)))
        rig.hands.later(0.8, put_back(rig, card))
        rig.pay(*PAID)
        rig.hands.wait(1)
        rig.user.disarm()
        state = rig.result()["state"]
        assert state == ("VOID" if when == BEFORE else "DONE")
        assert (card.balance_fen != before) == (state == "DONE")
    assert rig.unit.journal.open_intents() == []


def test_m14_a_pulled_card_that_stays_away_stays_open_and_others_are_served(rig: Rig) -> None:
    rig.psam()
    card = rig.card()
    rig.user.arm(Cut(DEBIT, 1, AFTER))
    assert rig.pay(*PAID).name == "PUT_CARD_BACK"
    order = rig.order_no
    assert rig.result()["state"] == "OPEN"
    rig.card(2)
    assert rig.pay(*PAID).name == "APPROVED"
    rig.user.remove()
    rig.world.insert("user", card.label)
    settle(rig)
    assert rig.result(order)["state"] == "DONE"
    assert card.balance_fen == START_FEN - PAID[0]


def test_another_card_put_in_instead_is_sent_away(rig: Rig) -> None:
    rig.psam()
    card = rig.card()
    other = rig.region.issue_card(9, balance_fen=5000)
    rig.user.arm(Cut(DEBIT, 1, AFTER))
    rig.hands.later(0.3, lambda: rig.world.insert("user", other.label))
    rig.hands.later(0.9, rig.user.remove)
    rig.hands.later(1.2, put_back(rig, card))
    assert rig.pay(*PAID).name == "APPROVED_FOUND_LATER"
    assert "ANOTHER_CARD" in rig.shown
    assert other.balance_fen == 5000


@pytest.mark.parametrize("when", [BEFORE, AFTER])
def test_a_card_used_at_another_terminal_in_between(tmp_path: Path, when: str) -> None:
    """Our serial went by: the log tells whose payment it was, and no proof of theirs is ours."""
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    rig = Rig(tmp_path / "one")
    rig.psam()
    card = rig.card()
    rig.user.arm(Cut(DEBIT, 1, when))
    assert rig.pay(*PAID).name == "PUT_CARD_BACK"
    elsewhere = Rig(
        tmp_path / "two",
        rig.region,
        {'terminal_number = "510100000001"': 'terminal_number = "510100000002"'},
    )
    elsewhere.psam(terminal_number="510100000002")
    elsewhere.world.insert("user", card.label)
    assert elsewhere.pay(*PAID).name == "APPROVED"
    elsewhere.user.remove()
    rig.world.insert("user", card.label)
    settle(rig)
    told = rig.result()
    if when == BEFORE:
        assert told["state"] == "VOID"
        assert card.balance_fen == START_FEN - PAID[0]
    else:
        assert told["state"] == "DONE"
        assert told["tac"] is None
        assert card.balance_fen == START_FEN - 2 * PAID[0]


def test_a_log_that_no_longer_reaches_back_is_uncertain(tmp_path: Path) -> None:
    rig = Rig(tmp_path, edit={"\ncard_day_fen = 300000": "\ncard_day_fen = 900000"})
    rig.psam()
    card = rig.card(balance_fen=START_FEN)
    rig.user.arm(Cut(DEBIT, 1, AFTER))
    assert rig.pay(*PAID).name == "PUT_CARD_BACK"
    (tmp_path / "two").mkdir()
    elsewhere = Rig(
        tmp_path / "two",
        rig.region,
        {'terminal_number = "510100000001"': 'terminal_number = "510100000002"'},
    )
    elsewhere.psam(terminal_number="510100000002")
    elsewhere.world.insert("user", card.label)
    for _ in range(31):
        assert elsewhere.pay(100, 0, 0).name == "APPROVED"
    elsewhere.user.remove()
    rig.world.insert("user", card.label)
    settle(rig)
    assert rig.result()["state"] == "UNCERTAIN"
    settle(rig)
    assert rig.kinds().count("UNCERTAIN") == 1
    assert rig.pay(*PAID).name == "APPROVED"


def test_a_refused_pin_leaves_the_payment_uncertain_and_the_right_one_settles_it(
    rig: Rig,
) -> None:
    rig.psam()
    card = rig.card()
    rig.user.arm(Cut(DEBIT, 1, AFTER))
    rig.pay(*PAID)
    order = rig.order_no
    rig.world.insert("user", card.label)
    visit = begin(rig.unit, rig.user)
    identify.read_identity(rig.unit, visit)
    for _ in range(3):
        rig.world.holder.type_pin("000000")
    with PinBuffer() as buffer:
        (intent,) = recovery.open_intents_of(rig.unit, visit)
        assert recovery.recover(rig.unit, visit, intent, buffer).name == "PAYMENT_UNCERTAIN"
    assert rig.result(order)["state"] == "UNCERTAIN"
    settle(rig)
    assert rig.result(order)["state"] == "DONE"


@pytest.mark.parametrize("sw", ["63CF", "9302"])
def test_suspect_only_when_the_psam_says_that_mac2_is_wrong(rig: Rig, sw: str) -> None:
    rig.psam(switches=Switches(mac2_failure=sw))
    card = rig.card()
    rig.world.misbehave(card.label, "wrong_mac2")
    rig.user.remove()
    rig.world.insert("user", card.label)
    assert rig.pay(*PAID).name == "PAYMENT_SUSPECT"
    assert rig.kinds()[:2] == ["INTENT", "SUSPECT"]
    assert rig.unit.journal.open_intents() == []


def test_a_psam_mute_after_debit_is_done_unchecked(rig: Rig) -> None:
    psam = rig.psam()
    card = rig.card()
    rig.world.slot("psam").arm(Cut(0x72, 1, BEFORE))
    rig.hands.later(0.1, put_back(rig, psam, "psam"))
    assert rig.pay(*PAID).name == "APPROVED_UNCHECKED"
    done = rig.unit.journal.by_order(rig.order_no)[1]
    assert done.body[rec.KEY_MAC2_STATE] == 3
    assert card.balance_fen == START_FEN - PAID[0]


@pytest.mark.parametrize("moves", ["at_8070", "at_8072"])
def test_the_psams_serial_is_journaled_after_a_torn_purchase(rig: Rig, moves: str) -> None:
    rig.psam(switches=Switches(psam_serial_moves=moves))
    card = rig.card()
    pay_torn(rig, card, Cut(DEBIT, 1, AFTER))
    rig.unit.journal.flush()
    seen = [r for r in rig.unit.journal.records() if r.kind == rec.KIND_PSAM_SEEN]
    assert [each.body[rec.KEY_EXPLAINED] for each in seen] == [True]


@pytest.mark.parametrize("generation", ["1.0", "2.0", "3.0", "contactless", "account only"])
@pytest.mark.parametrize("when", [BEFORE, AFTER, LOST])
def test_m14_every_kind_of_card_is_recovered(rig: Rig, generation: str, when: str) -> None:
    slot = "contactless" if generation == "contactless" else "user"
    kinds = {
        "1.0": {"generation": "1.0", "has_ef06": False},
        "contactless": {"generation": "3.0", "contactless": True},
        "account only": {"account_only": True},
    }
    rig.psam()
    card = rig.card(slot=slot, **kinds.get(generation, {"generation": generation}))
    pay_torn(rig, card, Cut(DEBIT, 1, when), slot)
    assert rig.result()["state"] == ("VOID" if when == BEFORE else "DONE")
    assert (card.balance_fen == START_FEN) == (when == BEFORE)
    if generation != "account only":
        check_money(rig, card, int(when != BEFORE))
    rig.world.holder.forget()
    assert rig.pay(*PAID).name == "APPROVED"
