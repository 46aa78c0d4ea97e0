"""M5, M6: 3DES and SM4 cards at one PSAM, roots of every level, key versions; a missing key."""

from __future__ import annotations

from pathlib import Path

import pytest

from firmware.journal import kinds as rec
from simulator.region import Region
from simulator.slot import AFTER, BEFORE, LOST, Cut
from tests.rig import Rig
from tests.torn import DEBIT, PAID, START_FEN, check_goes_on, check_money, pay_torn

SM4 = 3


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path, Region("510100", algorithm="both"))


def test_m5_cards_of_both_ciphers_pay_in_turn_at_one_psam(rig: Rig) -> None:
    rig.psam()
    for serial, generation in enumerate(("2.0", "3.0", "1.0", "3.0"), 1):
        card = rig.card(serial, generation=generation, has_ef06=generation != "1.0")
        assert rig.pay(*PAID).name == "APPROVED"
        assert card.balance_fen == START_FEN - PAID[0]
        intent, done = rig.unit.journal.by_order(rig.order_no)[:2]
        is_sm4 = generation == "3.0"
        assert (intent.body.get(rec.KEY_ALGORITHM) == SM4) == is_sm4
        assert done.body[rec.KEY_MAC2_STATE] == 1
        rig.user.remove()


def test_m5_an_sm4_card_over_its_antenna(rig: Rig) -> None:
    rig.psam()
    card = rig.card(generation="3.0", contactless=True, slot="contactless")
    assert rig.pay(*PAID).name == "APPROVED"
    assert card.balance_fen == START_FEN - PAID[0]


@pytest.mark.parametrize("when", [BEFORE, AFTER, LOST])
def test_m14_a_torn_sm4_payment_is_recovered(rig: Rig, when: str) -> None:
    rig.psam()
    card = rig.card(generation="3.0")
    pay_torn(rig, card, Cut(DEBIT, 1, when))
    paid = int(when != BEFORE)
    assert rig.result()["state"] == ("DONE" if paid else "VOID")
    check_money(rig, card, paid)
    check_goes_on(rig, card, paid)


@pytest.mark.parametrize("algorithm", ["3des", "sm4"])
@pytest.mark.parametrize("levels", ["city", "province", "nation", "mixed"])
def test_m6_psams_holding_roots_of_any_level(tmp_path: Path, algorithm: str, levels: str) -> None:
    """Found out at start, remembered for each key; the payment itself costs no exchange more."""
    rig = Rig(tmp_path, Region("510100", algorithm=algorithm, kept_levels=levels))
    rig.psam()
    card = rig.card(generation="3.0")
    assert rig.pay(*PAID).name == "APPROVED"
    rig.world.slot("psam").reset_counters()
    assert rig.pay(*PAID).name == "APPROVED"
    assert rig.world.slot("psam").counters.exchanges == 19
    assert card.balance_fen == START_FEN - 2 * PAID[0]


def test_m5_an_sm4_card_at_a_psam_without_sm4_is_told_so(tmp_path: Path) -> None:
    rig = Rig(tmp_path, Region("510100", algorithm="3des"))
    rig.psam()
    other = Region("510100", algorithm="sm4")
    rig.region.cards["sm4"] = other.issue_card(5, generation="3.0", balance_fen=START_FEN)
    rig.user.insert(rig.region.cards["sm4"])
    assert rig.pay(*PAID).name == "PSAM_KEY_MISSING"
    assert rig.result()["detail"] == "the PSAM lacks algorithm 03"


def test_each_environments_serial_is_journaled_and_explained_by_itself(rig: Rig) -> None:
    from firmware.authorize.psamwatch import note_serial

    rig.psam()
    rig.card(1)
    rig.pay(*PAID)
    rig.user.remove()
    rig.card(2, generation="3.0")
    rig.pay(*PAID)
    note_serial(rig.unit)
    rig.unit.journal.flush()
    seen = [each for each in rig.unit.journal.records() if each.kind == rec.KIND_PSAM_SEEN]
    assert {each.body[rec.KEY_ALGORITHM] for each in seen} == {1, SM4}
    assert all(each.body[rec.KEY_EXPLAINED] for each in seen)


@pytest.mark.parametrize("generation", ["2.0", "3.0"])
def test_a_card_one_key_version_behind_its_psam_pays(rig: Rig, generation: str) -> None:
    rig.psam(key_versions=(1, 2))
    card = rig.card(generation=generation, key_version=1)
    newer = rig.region.issue_card(2, generation=generation, key_version=2, balance_fen=START_FEN)
    assert rig.pay(*PAID).name == "APPROVED"
    assert rec.KEY_KEY_VERSION not in rig.unit.journal.by_order(rig.order_no)[0].body  # it is 1
    rig.user.remove()
    rig.world.insert("user", newer.label)
    assert rig.pay(*PAID).name == "APPROVED"
    assert rig.unit.journal.by_order(rig.order_no)[0].body[rec.KEY_KEY_VERSION] == 2
    assert card.balance_fen == newer.balance_fen == START_FEN - PAID[0]


def test_a_card_whose_key_version_the_psam_lacks_is_told_so(rig: Rig) -> None:
    rig.psam(key_versions=(1,))
    card = rig.card(key_version=2)
    assert rig.pay(*PAID).name == "PSAM_KEY_MISSING"
    assert rig.result()["detail"] == "the PSAM lacks DPK version 2"
    assert card.balance_fen == START_FEN
