"""Cards and PSAMs that answer wrongly: a numbered outcome, money accounted for, the unit goes on.

Two properties hold for every row, whatever the chip does and at whichever command:
the card's own money agrees with the records, and the next card is served.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from firmware.journal import kinds as rec
from tests.rig import Rig
from tests.waiting import SOON_S

PAID = (1000, 200, 300)
START_FEN = 100_000

SELECT, READ, VERIFY, INTERNAL, CHALLENGE = 0xA4, 0xB2, 0x20, 0x88, 0x84
EXTERNAL, UPDATE, INITIALIZE, DEBIT = 0x82, 0xDC, 0x28, 0x2C
CARD_COMMANDS = (SELECT, READ, INTERNAL, CHALLENGE, EXTERNAL, VERIFY, UPDATE, INITIALIZE, DEBIT)
DELIVER, CIPHER, READ_BINARY, INIT_SAM, CREDIT_SAM = 0xDE, 0xFA, 0xB0, 0x70, 0x72
PSAM_COMMANDS = (SELECT, DELIVER, CIPHER, INIT_SAM, CREDIT_SAM)
WAYS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("garbage", {"seed": 1}),
    ("garbage", {"seed": 2}),
    ("short", {"size": 0}),
    ("short", {"size": 1}),
    ("long", {}),
    ("endless_61", {}),
    ("answers", {"sw": 0x6F00}),
    ("answers", {"sw": 0x9000}),
    ("mute_before", {}),
    ("mute_after", {}),
)
WAY_NAMES = [f"{way}{''.join(f'-{v}' for v in how.values())}" for way, how in WAYS]


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path)


def misbehave(rig: Rig, label: str, slot: str, way: str, **how: Any) -> None:
    rig.world.misbehave(label, way, **how)
    rig.world.slot(slot).remove()
    rig.world.insert(slot, label)


def behave(rig: Rig, label: str, slot: str) -> None:
    rig.world.misbehave(label, None)
    rig.world.slot(slot).remove()
    rig.world.insert(slot, label)


def check_books(rig: Rig, card: Any) -> int:
    """Account money gone from the card = DONE and SUSPECT, as soon as nothing is open."""
    rig.unit.journal.flush()
    taken = (rec.KIND_DONE, rec.KIND_SUSPECT)
    paid = sum(each.kind in taken for each in rig.unit.journal.records(0, 1000))
    assert card.balance_fen == START_FEN - paid * PAID[0]
    return paid


@pytest.mark.parametrize("ins", CARD_COMMANDS, ids=lambda ins: f"{ins:02X}")
@pytest.mark.parametrize(("way", "how"), WAYS, ids=WAY_NAMES)
def test_a_card_that_answers_wrongly_at_any_command(
    rig: Rig, way: str, how: dict[str, Any], ins: int
) -> None:
    rig.psam()
    card = rig.card()
    misbehave(rig, card.label, "user", way, ins=ins, **how)
    for _ in range(3):
        rig.world.holder.type_pin("123456")
    result = rig.pay(*PAID)
    assert result.number not in (699,)
    assert rig.result()["state"] in ("DECLINED", "OPEN", "DONE", "VOID", "SUSPECT", "UNCERTAIN")
    assert sum(command[:2] == b"\xb0\x2c" for command, _ in rig.exchanges) <= 1
    # the same card, behaving again, settles what is open and pays
    behave(rig, card.label, "user")
    rig.world.holder.forget()
    rig.world.holder.type_pin("123456")
    assert rig.pay(*PAID).name == "APPROVED"
    assert rig.unit.journal.open_intents() == []
    check_books(rig, card)


@pytest.mark.parametrize("ins", PSAM_COMMANDS, ids=lambda ins: f"{ins:02X}")
@pytest.mark.parametrize(("way", "how"), WAYS, ids=WAY_NAMES)
def test_a_psam_that_answers_wrongly_at_any_command(
    rig: Rig, way: str, how: dict[str, Any], ins: int
) -> None:
    psam = rig.psam()
    card = rig.card()
    rig.unit.psam.start()
    misbehave(rig, psam.label, "psam", way, ins=ins, **how)
    rig.unit.psam.drop()
    result = rig.pay(*PAID)
    assert result.number not in (699,)
    assert (
        result.number < 100 or 300 <= result.number < 400 or result.number in (107, 120, 503, 501)
    )
    behave(rig, psam.label, "psam")
    rig.unit.psam.drop()
    rig.world.holder.forget()
    assert rig.pay(*PAID).name == "APPROVED"
    assert rig.unit.journal.open_intents() == []
    check_books(rig, card)


NUMBERED = [
    ("garbage", {"ins": SELECT, "seed": 1}, {"CARD_UNREADABLE", "CARD_REFUSED"}),
    ("short", {"ins": READ, "size": 1}, {"CARD_UNREADABLE"}),
    ("long", {"ins": READ}, {"CARD_UNREADABLE"}),
    ("endless_61", {"ins": SELECT}, {"CARD_UNREADABLE"}),
    ("mute_before", {"ins": READ}, {"CARD_SILENT"}),
    ("wrong_internal_authentication", {}, {"CARD_NOT_GENUINE"}),
    ("answers", {"ins": READ, "sw": 0x6A81}, {"CARD_BLOCKED", "CARD_UNREADABLE"}),
    ("answers", {"ins": SELECT, "sw": 0x6A82}, {"NOT_A_SOCIAL_SECURITY_CARD"}),
    ("answers", {"ins": SELECT, "sw": 0x6A81}, {"CARD_BLOCKED"}),
    ("refuses", {"ins": INITIALIZE, "sw": 0x9303}, {"APPLICATION_LOCKED"}),
    ("refuses", {"ins": EXTERNAL, "sw": 0x6983}, {"CARD_REFUSED_TERMINAL"}),
    ("refuses", {"ins": EXTERNAL, "sw": 0x63C2}, {"CARD_REFUSED_TERMINAL"}),
    ("refuses", {"ins": VERIFY, "sw": 0x6983}, {"PIN_LOCKED"}),
    ("refuses", {"ins": INITIALIZE, "sw": 0x6985}, {"CARD_REFUSED"}),
]


@pytest.mark.parametrize(("way", "how", "names"), NUMBERED)
def test_each_fault_of_a_card_has_its_outcome(
    rig: Rig, way: str, how: dict[str, Any], names: set[str]
) -> None:
    rig.psam()
    card = rig.card()
    misbehave(rig, card.label, "user", way, **how)
    assert rig.pay(*PAID).name in names
    assert rig.shown[-1] in names
    assert rig.kinds() == ["DECLINED"]
    assert check_books(rig, card) == 0


@pytest.mark.parametrize("sw", [0x9302, 0x6901, 0x6985, 0x9406, 0x6F00])
def test_no_status_word_of_debit_makes_a_void(rig: Rig, sw: int) -> None:
    """The wrong MAC1: refused by the card, and VOID only because the evidence says so."""
    rig.psam()
    card = rig.card()
    misbehave(rig, card.label, "user", "refuses", ins=DEBIT, sw=sw)
    assert rig.pay(*PAID).name == "NOT_TAKEN"
    void = rig.unit.journal.by_order(rig.order_no)[1]
    assert void.body[rec.KEY_EVIDENCE]["why"].startswith("serial and balances are unmoved")
    assert check_books(rig, card) == 0


@pytest.mark.parametrize("sw", [0x9302, 0x6F00, 0x9000])
def test_a_status_word_that_hides_a_debit_is_found_out(rig: Rig, sw: int) -> None:
    rig.psam()
    card = rig.card()
    misbehave(rig, card.label, "user", "answers", ins=DEBIT, sw=sw)
    assert rig.pay(*PAID).name == "APPROVED_FOUND_LATER"
    assert check_books(rig, card) == 1


def test_a_silent_card_is_bounded_by_the_deadline(rig: Rig) -> None:
    import time

    rig.psam()
    card = rig.card()
    misbehave(rig, card.label, "user", "mute_before", ins=INITIALIZE)
    started = time.monotonic()
    assert rig.pay(*PAID).name == "CARD_SILENT"
    assert time.monotonic() - started < SOON_S / 2


def test_two_cards_are_two_entries_in_reach(rig: Rig) -> None:
    rig.psam()
    rig.card(1)
    rig.card(2, generation="3.0", contactless=True, slot="contactless")
    assert len(rig.unit.cards_in_reach()) == 2


def test_a_missing_psam_declines_before_any_card(rig: Rig) -> None:
    rig.card()
    assert rig.pay(*PAID).name == "PSAM_MISSING"
    assert rig.exchanges == []


def test_a_card_in_the_psams_slot_is_no_psam(rig: Rig) -> None:
    rig.card(1, slot="psam")
    rig.card(2)
    assert rig.pay(*PAID).name == "PSAM_MISSING"


def test_a_psam_swapped_while_running_is_found_at_the_next_payment(rig: Rig) -> None:
    first = rig.psam()
    rig.card()
    assert rig.pay(*PAID).name == "APPROVED"
    rig.world.slot("psam").remove()
    other = rig.region.issue_psam("510100000002")
    rig.world.insert("psam", other.label)
    assert rig.pay(*PAID).name in ("PSAM_MISSING", "PSAM_SWAPPED")
    assert rig.pay(*PAID).name == "PSAM_SWAPPED"
    rig.world.slot("psam").remove()
    rig.world.insert("psam", first.label)
    rig.pay(*PAID)
    rig.world.holder.forget()
    assert rig.pay(*PAID).name == "APPROVED"
