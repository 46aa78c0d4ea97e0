"""M2, M3: initial PINs by rule, and what a payment with one meets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware.authorize.initialpin import RULES, birth_date, initial_pins, last_6, last_8
from firmware.authorize.pin import PinBuffer
from firmware.card import files
from firmware.card.items import Item
from firmware.journal import kinds as rec
from firmware.secret import Pin
from simulator.slot import AFTER, BEFORE, LOST, Cut
from tests.rig import Rig
from tests.torn import put_back

CITIZEN = "51010119900307123X"  # invented
CITIZEN_PIN = "03071231"
NEW = "86421357"
CHANGE_PIN, VERIFY, READ_RECORD = 0x5E, 0x20, 0xB2
POLICIES = ["warn", "force_change", "refuse"]


def rig_with(folder: Path, policy: str, rules: str = '["last_8"]') -> Rig:
    section = f'[initial_pin]\npolicy = "{policy}"\nrules = {rules}\n[clock]'
    rig = Rig(folder, edit={"[clock]": section})
    rig.psam()
    return rig


def pay(rig: Rig, *typed: str) -> str:
    """After what is typed the holder presses the cancel key."""
    rig.world.holder.forget()
    for each in typed:
        rig.world.holder.type_pin(each)
    rig.world.holder.cancel()
    name = rig.pay(pin=None).name
    rig.world.holder.forget()
    return name


def services(rig: Rig) -> list[dict[int, Any]]:
    rig.unit.journal.flush()
    return [each.body for each in rig.unit.journal.records(0, 1000) if each.kind == 20]


def read_tags(rig: Rig) -> set[int]:
    """P1 of every READ RECORD of SFI 06: of the holder's file, and later of DF04/EF06."""
    return {each[2] for each, _ in rig.exchanges if each[1] == READ_RECORD and each[3] >> 3 == 6}


# -- the rules -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "eight", "six"),
    [
        (b"51010119900307123X", ["03071231"], ["071231"]),
        (b"51010119900307123x", ["03071231"], ["071231"]),
        (b"510101199003071234", ["03071234"], ["071234"]),
        (b"51010119900307123X\0\0", ["03071231"], ["071231"]),
        (b"510101900307123", [], []),  # fifteen digits, before 1999
        (b"5101011990X3071234", [], []),
        (b"\xff" * 18, [], []),
        (b"", [], []),
    ],
)
def test_m2_last_8_and_last_6_of_the_citizen_number_x_as_1(
    number: bytes, eight: list[str], six: list[str]
) -> None:
    assert last_8(number) == eight
    assert last_6(number) == six


@pytest.mark.parametrize(
    ("item", "pins"),
    [
        ("19900307", ["19900307", "900307"]),
        ("20011231", ["20011231", "011231"]),
        ("32303132", []),  # one maker's year in ASCII
        ("ffffffff", []),
        ("1990ffff", []),
        ("1990abcd", []),
        ("", []),
    ],
)
def test_m2_birth_date_in_eight_and_in_six_digits(item: str, pins: list[str]) -> None:
    assert birth_date(bytes.fromhex(item)) == pins


def test_m2_a_list_of_digits_is_rules_and_reads_no_card() -> None:
    found = initial_pins(["123456", "888888"], lambda item: pytest.fail("nothing is to be read"))
    assert [each.reveal().hex() for each in found] == ["123456", "888888"]


def test_m2_an_item_is_read_once_and_only_for_a_rule_that_needs_it() -> None:
    read: list[Item] = []

    def read_item(item: Item) -> bytes:
        read.append(item)
        return CITIZEN.encode()

    initial_pins(["last_8", "last_6", "123456"], read_item)
    assert read == [files.CITIZEN_NUMBER]


def test_m2_what_was_made_of_the_citizen_number_is_wiped_with_the_pin() -> None:
    with PinBuffer() as buffer:
        buffer.keep(Pin.from_digits(NEW))
        buffer.initial = initial_pins(RULES, lambda item: CITIZEN.encode())
        held = [buffer.pin, *buffer.initial]
        assert len(held) == 3
    assert [each is not None and each.is_wiped for each in held] == [True] * 3


@given(st.binary(max_size=40))
def test_any_bytes_in_the_card_give_pins_or_none(raw: bytes) -> None:
    for each in initial_pins(RULES, lambda item: raw):
        assert 3 <= len(each) <= 4


# -- the policies --------------------------------------------------------------------------------


def test_m2_as_shipped_no_rule_is_asked_and_the_citizen_number_is_not_read(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.psam()
    rig.card(pin="123456")
    assert rig.board.initial_pin.policy == "ignore"
    assert rig.pay().name == "APPROVED"
    assert not read_tags(rig) & {0x08, 0x0D}


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("generation", ["2.0", "3.0"])
def test_m2_a_pin_of_no_rule_pays_as_ever(tmp_path: Path, policy: str, generation: str) -> None:
    rig = rig_with(tmp_path, policy, '["last_8", "last_6", "birth_date", "123456"]')
    card = rig.card(generation=generation, pin="975310", citizen_number=CITIZEN)
    assert pay(rig, "975310") == "APPROVED"
    assert card.balance_fen == 99_000
    assert services(rig) == []
    assert {0x08, 0x0D} <= read_tags(rig)


@pytest.mark.parametrize(
    "pin", ["03071231", "071231", "19900307", "900307", "123456", "888888888888"]
)
@pytest.mark.parametrize("generation", ["1.0", "2.0", "3.0"])
def test_m2_each_rule_refuses_its_pin(tmp_path: Path, pin: str, generation: str) -> None:
    rules = '["last_8", "last_6", "birth_date", "123456", "888888888888"]'
    rig = rig_with(tmp_path, "refuse", rules)
    card = rig.card(generation=generation, pin=pin, citizen_number=CITIZEN)
    assert pay(rig, pin) == "PIN_IS_INITIAL"
    assert card.balance_fen == 100_000
    assert rig.kinds() == ["DECLINED"]


def test_m2_a_wrong_pin_that_a_rule_gives_is_wrong_and_no_more(tmp_path: Path) -> None:
    rig = rig_with(tmp_path, "refuse")
    rig.card(pin="975310", citizen_number=CITIZEN)
    assert pay(rig, CITIZEN_PIN, "975310") == "APPROVED"


def test_m3_a_warning_is_acknowledged_and_journaled(tmp_path: Path) -> None:
    rig = rig_with(tmp_path, "warn")
    card = rig.card(pin=CITIZEN_PIN, citizen_number=CITIZEN, tries=4)
    assert pay(rig, CITIZEN_PIN, CITIZEN_PIN) == "APPROVED"
    assert rig.shown[1:4] == ["ENTER_PIN", "INITIAL_PIN_WARNING", "WORKING_LEAVE_CARD"]
    (record,) = services(rig)
    assert record[rec.KEY_DETAIL] == "initial PIN: acknowledged by the holder; order ORDER-1"
    assert record[rec.KEY_CARD_ID] == card.card_id
    assert rig.kinds()[0] == "SERVICE"
    assert len([each for each, _ in rig.exchanges if each[1] == VERIFY]) == 2, (
        "the card is not asked"
    )


@pytest.mark.parametrize(
    ("typed", "name"), [(("000000",), "PIN_IS_INITIAL"), ((), "PIN_CANCELLED")]
)
def test_m3_a_warning_that_is_not_acknowledged_takes_nothing(
    tmp_path: Path, typed: tuple[str, ...], name: str
) -> None:
    rig = rig_with(tmp_path, "warn")
    card = rig.card(pin=CITIZEN_PIN, citizen_number=CITIZEN, tries=4)
    assert pay(rig, CITIZEN_PIN, *typed) == name
    assert card.balance_fen == 100_000
    assert card.memory.pin_tries == 4
    assert rig.kinds() == ["DECLINED"]


@pytest.mark.parametrize("generation", ["1.0", "2.0", "3.0"])
def test_m3_a_forced_change_goes_on_with_the_new_pin(tmp_path: Path, generation: str) -> None:
    rig = rig_with(tmp_path, "force_change")
    card = rig.card(generation=generation, pin=CITIZEN_PIN, citizen_number=CITIZEN)
    assert pay(rig, CITIZEN_PIN, NEW, NEW) == "APPROVED"
    assert rig.shown[1:4] == ["ENTER_PIN", "NEW_PIN_FORCED", "NEW_PIN_AGAIN"]
    verified = [each[5:].hex() for each, _ in rig.exchanges if each[1] == VERIFY]
    assert verified[1:] == [CITIZEN_PIN, NEW], "the card takes what it says it has taken"
    assert card.memory.pin.hex() == NEW
    assert card.balance_fen == 99_000
    assert services(rig)[0][rec.KEY_DETAIL] == "initial PIN: changed; order ORDER-1"
    assert pay(rig, NEW) == "APPROVED"


def test_m3_a_forced_change_takes_no_initial_pin_for_a_new_one(tmp_path: Path) -> None:
    rig = rig_with(tmp_path, "force_change", '["last_8", "123456"]')
    card = rig.card(pin=CITIZEN_PIN, citizen_number=CITIZEN)
    assert pay(rig, CITIZEN_PIN, "123456", CITIZEN_PIN, "123456") == "PIN_NOT_CHANGED"
    assert card.memory.pin.hex() == CITIZEN_PIN
    assert card.balance_fen == 100_000


@pytest.mark.parametrize("when", [BEFORE, AFTER, LOST])
def test_m3_a_forced_change_that_is_torn_takes_nothing_and_says_which_pin(
    tmp_path: Path, when: str
) -> None:
    rig = rig_with(tmp_path, "force_change")
    card = rig.card(pin=CITIZEN_PIN, citizen_number=CITIZEN, tries=5)
    rig.user.arm(Cut(CHANGE_PIN, 1, when))
    rig.hands.later(0.5, put_back(rig, card))
    assert pay(rig, CITIZEN_PIN, NEW, NEW) == "PIN_CHANGE_UNCERTAIN"
    assert rig.fields["tries_left"] == "5"
    assert card.balance_fen == 100_000
    assert rig.kinds() == ["SERVICE", "DECLINED"]
    typed = [CITIZEN_PIN, NEW, NEW] if when == BEFORE else [NEW]
    assert pay(rig, *typed) == "APPROVED"


def test_m3_a_payment_torn_after_a_forced_change_is_recovered_with_the_new_pin(
    tmp_path: Path,
) -> None:
    rig = rig_with(tmp_path, "force_change")
    card = rig.card(pin=CITIZEN_PIN, citizen_number=CITIZEN)
    rig.user.arm(Cut(0x2C, 1, AFTER))
    rig.hands.later(0.5, put_back(rig, card))
    assert pay(rig, CITIZEN_PIN, NEW, NEW) == "APPROVED_FOUND_LATER"
    assert card.balance_fen == 99_000
