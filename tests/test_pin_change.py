"""M1, M3: the holder changes, sets and removes the PIN at the pad; a card that left meanwhile."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from firmware.authorize import limits
from firmware.authorize.service import serve
from firmware.authorize.services import SERVICES
from firmware.journal import kinds as rec
from simulator.slot import AFTER, BEFORE, LOST, Cut
from simulator.switches import Switches
from tests.rig import Rig
from tests.torn import put_back

CHANGE_PIN, VERIFY = 0x5E, 0x20
OLD, NEW = "123456", "86421357"


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    rig = Rig(tmp_path)
    rig.psam()
    return rig


def allowing(folder: Path, *what: str) -> Rig:
    keys = "".join(f"{each} = true\n" for each in what)
    rig = Rig(folder, edit={"[clock]": f"[pin_change]\n{keys}[clock]"})
    rig.psam()
    return rig


def ask(rig: Rig, name: str, *typed: str) -> str:
    """The outcome of that service; after what is typed the holder presses the cancel key."""
    rig.world.holder.forget()
    for each in typed:
        rig.world.holder.type_pin(each)
    rig.world.holder.cancel()
    assert limits.check_psam(rig.unit) is None
    reader = rig.unit.cards_in_reach()[0]
    result, _ = serve(rig.unit, reader, name, SERVICES[name], {"operator": "clerk-07"})
    rig.world.holder.forget()
    return result.name


def service_record(rig: Rig) -> dict[int, Any]:
    rig.unit.journal.flush()
    body: dict[int, Any] = rig.unit.journal.records(0, 1000)[-1].body
    return body


def sent(rig: Rig, ins: int) -> list[bytes]:
    return [command for command, _ in rig.exchanges if command[1] == ins]


def pin_of(card: Any) -> str:
    return str(card.memory.pin.hex().rstrip("f"))


# -- done as asked -------------------------------------------------------------------------------


@pytest.mark.parametrize("generation", ["1.0", "2.0", "3.0"])
def test_m3_a_changed_pin_is_the_cards_and_pays(rig: Rig, generation: str) -> None:
    card = rig.card(generation=generation, has_ef06=generation != "1.0")
    assert ask(rig, "pin.change", OLD, NEW, NEW) == "SERVED"
    assert rig.shown[1:] == ["OLD_PIN", "NEW_PIN", "NEW_PIN_AGAIN", "PIN_CHANGED"]
    assert pin_of(card) == NEW
    assert sent(rig, CHANGE_PIN)[0].hex() == "805e010008" + OLD + "ff" + NEW
    body = service_record(rig)
    assert (body[rec.KEY_DETAIL], body[rec.KEY_OPERATOR]) == ("pin: changed", "clerk-07")
    assert body[rec.KEY_CARD_ID] == card.card_id
    assert rig.pay(pin=NEW).name == "APPROVED"


@pytest.mark.parametrize("new", ["1234", "12345", "123456789012"])
def test_m1_a_new_pin_has_4_to_12_digits_at_the_pad(rig: Rig, new: str) -> None:
    card = rig.card(pin="999999")
    assert ask(rig, "pin.change", "999999", new, new) == "SERVED"
    assert pin_of(card) == new


@pytest.mark.parametrize("new", ["123", "1234567890123"])
def test_m1_other_lengths_never_reach_the_card(rig: Rig, new: str) -> None:
    card = rig.card(pin="999999")
    assert ask(rig, "pin.change", "999999", new, new) == "PIN_NOT_ENTERED"
    assert pin_of(card) == "999999"
    assert sent(rig, CHANGE_PIN) == []


def test_m3_two_new_pins_that_differ_are_asked_for_again(rig: Rig) -> None:
    card = rig.card()
    assert ask(rig, "pin.change", OLD, NEW, "000000", NEW, NEW) == "SERVED"
    assert "NEW_PIN_DIFFERED" in rig.shown
    assert pin_of(card) == NEW


def test_m3_the_old_pin_is_no_new_one_and_the_asking_ends(rig: Rig) -> None:
    """pin_attempts is 3."""
    card = rig.card()
    assert ask(rig, "pin.change", OLD, OLD, NEW, "000000", NEW, "111111") == "PIN_NOT_CHANGED"
    assert rig.shown.count("NEW_PIN_TOO_EASY") == 1
    assert pin_of(card) == OLD
    assert sent(rig, CHANGE_PIN) == []


def test_m1_a_wrong_old_pin_changes_nothing_and_shows_the_tries(rig: Rig) -> None:
    card = rig.card(tries=6)
    assert ask(rig, "pin.change", "000000", "111111", "222222") == "PIN_WRONG"
    assert rig.fields["tries_left"] == "3"
    assert pin_of(card) == OLD
    assert service_record(rig)[rec.KEY_OUTCOME] == 201


@pytest.mark.parametrize("typed", [(), (OLD,), (OLD, NEW)])
def test_m3_a_holder_who_walks_away_changes_nothing(rig: Rig, typed: tuple[str, ...]) -> None:
    card = rig.card()
    assert ask(rig, "pin.change", *typed) == "PIN_CANCELLED"
    assert pin_of(card) == OLD


def test_m1_a_new_pin_is_set_only_where_the_board_allows_it(tmp_path: Path) -> None:
    (tmp_path / "no").mkdir()
    (tmp_path / "yes").mkdir()
    strict, open_ = Rig(tmp_path / "no"), allowing(tmp_path / "yes", "allow_set")
    strict.psam()
    card = strict.card(pin=None)
    assert ask(strict, "pin.change", NEW, NEW) == "PIN_NOT_SET"
    assert card.memory.pin == b""
    card = open_.card(pin=None)
    assert ask(open_, "pin.change", NEW, NEW) == "SERVED"
    assert pin_of(card) == NEW
    assert service_record(open_)[rec.KEY_DETAIL] == "pin: set"


def test_m1_a_pin_is_removed_only_where_the_board_allows_it(tmp_path: Path) -> None:
    (tmp_path / "no").mkdir()
    (tmp_path / "yes").mkdir()
    strict, open_ = Rig(tmp_path / "no"), allowing(tmp_path / "yes", "allow_remove")
    strict.psam()
    card = strict.card()
    assert ask(strict, "pin.remove", OLD) == "PIN_REMOVAL_NOT_ALLOWED"
    assert pin_of(card) == OLD
    card = open_.card()
    assert ask(open_, "pin.remove", OLD) == "SERVED"
    assert card.memory.pin == b""
    assert open_.shown[-1] == "PIN_REMOVED"
    assert ask(open_, "pin.remove", OLD) == "PIN_NOT_SET"


# -- a card that refuses -------------------------------------------------------------------------

REFUSALS = [
    ("63c2", "PIN_WRONG"),
    ("63c0", "PIN_LOCKED"),
    ("6983", "PIN_LOCKED"),
    ("6984", "PIN_NOT_CHANGED"),
    ("6a80", "PIN_NOT_CHANGED"),
    ("6d00", "PIN_NOT_CHANGED"),
    ("9303", "PIN_NOT_CHANGED"),
    ("6581", "PIN_CHANGE_UNCERTAIN"),
    ("6f00", "PIN_CHANGE_UNCERTAIN"),
    ("9001", "PIN_CHANGE_UNCERTAIN"),
]


@pytest.mark.parametrize(("sw", "name"), REFUSALS)
def test_m1_what_a_card_may_answer_to_change_pin(rig: Rig, sw: str, name: str) -> None:
    card = rig.card()
    rig.user.remove()
    rig.world.misbehave(card.label, "answers", ins=CHANGE_PIN, sw=int(sw, 16))
    rig.world.insert("user", card.label)
    assert ask(rig, "pin.change", OLD, NEW, NEW) == name
    assert len(sent(rig, CHANGE_PIN)) == 1
    assert service_record(rig)[rec.KEY_DETAIL].startswith("pin: ")


# -- torn ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("empty", ["9000", "63Cx"])
@pytest.mark.parametrize("when", [BEFORE, AFTER, LOST])
def test_m1_a_torn_change_tells_which_pin_to_try_and_tries_none(
    tmp_path: Path, when: str, empty: str
) -> None:
    """VERIFY with Lc 00 only: the holder's tries are the holder's."""
    rig = Rig(tmp_path)
    rig.psam()
    card = rig.card(switches=Switches(verify_empty_after_ok=empty), tries=4)
    rig.user.arm(Cut(CHANGE_PIN, 1, when))
    rig.hands.later(0.5, put_back(rig, card))
    assert ask(rig, "pin.change", OLD, NEW, NEW) == "PIN_CHANGE_UNCERTAIN"
    assert rig.fields["tries_left"] == "4"
    assert pin_of(card) == (OLD if when == BEFORE else NEW)
    assert len(sent(rig, CHANGE_PIN)) <= 1
    assert [each[4:] for each in sent(rig, VERIFY)[2:]] == [b"\0"]
    assert service_record(rig)[rec.KEY_DETAIL].endswith("a PIN is set, tries left 4")
    assert rig.pay(pin=pin_of(card)).name == "APPROVED"


@pytest.mark.parametrize("when", [BEFORE, AFTER, LOST])
def test_m1_torn_at_any_exchange_the_outcome_is_true_and_no_try_is_spent(
    rig: Rig, when: str
) -> None:
    card = rig.card(tries=4)
    told = {"SERVED": {NEW}, "PIN_CHANGE_UNCERTAIN": {OLD, NEW}}
    for nth in range(1, 99):
        card.memory.pin = bytes.fromhex(OLD)
        put_back(rig, card)()
        rig.user.arm(Cut(None, nth, when))
        rig.hands.later(0.5, put_back(rig, card))
        name = ask(rig, "pin.change", OLD, NEW, NEW)
        rig.hands.wait(1)
        assert pin_of(card) in told.get(name, {OLD}), (nth, name)
        assert card.memory.pin_tries == 4
        if name == "SERVED":
            break
    assert nth > 10, "the cut struck at every exchange before the last"


@pytest.mark.parametrize(
    ("when", "service", "before", "names"),
    [
        (BEFORE, "pin.change", None, "PIN_NOT_CHANGED"),
        (AFTER, "pin.change", None, "SERVED"),
        (LOST, "pin.change", None, "SERVED"),
        (BEFORE, "pin.remove", OLD, "PIN_NOT_CHANGED"),
        (AFTER, "pin.remove", OLD, "SERVED"),
    ],
)
def test_m1_a_torn_set_or_removal_is_found_out(
    tmp_path: Path, when: str, service: str, before: str | None, names: str
) -> None:
    rig = allowing(tmp_path, "allow_set", "allow_remove")
    card = rig.card(pin=before)
    rig.user.arm(Cut(CHANGE_PIN, 1, when))
    rig.hands.later(0.5, put_back(rig, card))
    typed = (OLD,) if service == "pin.remove" else (NEW, NEW)
    assert ask(rig, service, *typed) == names
    is_done = names == "SERVED"
    assert bool(card.memory.pin) == (is_done == (service == "pin.change"))


def test_m1_a_card_that_comes_back_locked_is_told_as_locked(rig: Rig) -> None:
    card = rig.card()
    rig.user.arm(Cut(CHANGE_PIN, 1, AFTER))
    rig.hands.later(0.4, lambda: setattr(card.memory, "pin_tries", 0))  # tried elsewhere
    rig.hands.later(0.5, put_back(rig, card))
    assert ask(rig, "pin.change", OLD, NEW, NEW) == "PIN_LOCKED"


def test_m1_a_card_that_stays_away_and_another_in_its_place(rig: Rig) -> None:
    """removal_s is 3."""
    rig.card()
    other = rig.region.issue_card(9, pin="999999")
    rig.user.arm(Cut(CHANGE_PIN, 1, AFTER))
    rig.hands.later(0.5, lambda: rig.world.insert("user", other.label))
    assert ask(rig, "pin.change", OLD, NEW, NEW) == "PIN_CHANGE_UNCERTAIN"
    assert "tries_left" not in rig.fields
    assert service_record(rig)[rec.KEY_DETAIL].endswith("the card stayed away")
    assert pin_of(other) == "999999"
    assert other.memory.pin_tries == other.memory.pin_limit
