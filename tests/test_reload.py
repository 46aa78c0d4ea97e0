"""M4: unblock and reload of a PIN with the PSAM's authority, two operators, journaled."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

from firmware.card.session import CardSession
from firmware.host.rpc import RpcError
from firmware.journal import kinds as rec
from firmware.outcome import outcome
from simulator.region import Region
from simulator.slot import AFTER, BEFORE, LOST, Cut
from simulator.switches import Switches
from tests.operator_rig import PAIR, SEEN, Counter
from tests.personal import give_key, opened
from tests.rig import TERMINAL

OLD, NEW = "123456", "654321"
PIN_INS, VERIFY_INS = 0x24, 0x20
OPERATORS = PAIR | SEEN


@pytest.fixture
def counter(tmp_path: Path) -> Counter:
    made = Counter(tmp_path)
    made.log_on_both()
    return made


def lock(card: Any) -> None:
    card.memory.pin_tries = 0


def pin_of(card: Any) -> str:
    return str(card.memory.pin.hex())


def reload(counter: Counter, *typed: str, run_s: float = 2.0) -> str:
    counter.world.holder.forget()
    for digits in typed or (NEW, NEW):
        counter.world.holder.type_pin(digits)
    return counter.call("pin.reload", run_s, **OPERATORS)


# -- done ----------------------------------------------------------------------------------------


def test_m4_unblock_gives_the_tries_back_and_keeps_the_pin(counter: Counter) -> None:
    card = counter.put()
    lock(card)
    assert counter.call("pin.unblock", **OPERATORS) == "SERVED"
    assert (pin_of(card), card.memory.pin_tries) == (OLD, 6)
    assert "PIN_UNBLOCKED" in counter.shown


@pytest.mark.parametrize("is_locked", [False, True])
def test_m4_reload_sets_the_pin_the_holder_typed_twice(counter: Counter, is_locked: bool) -> None:
    card = counter.put()
    if is_locked:
        lock(card)
    assert reload(counter) == "SERVED"
    assert (pin_of(card), card.memory.pin_tries) == (NEW, 6)
    assert "PIN_RELOADED" in counter.shown


def test_m4_both_operators_and_the_identification_are_journaled(counter: Counter) -> None:
    """The end of the document's number is personal: for the office alone."""
    card = counter.put()
    give_key(counter.unit)
    reload(counter)
    body = counter.newest()
    assert (body[rec.KEY_OPERATOR], body[rec.KEY_SECOND]) == ("ann", "bob")
    assert body[rec.KEY_ID_KIND] == "citizen"
    assert rec.KEY_ID_TAIL not in body
    assert opened(counter.unit)[-1] == {"id_tail": "123X"}
    assert (body[rec.KEY_CARD_ID], body[rec.KEY_OUTCOME]) == (card.card_id, 9)


def test_m4_an_unblock_keeps_the_identification_for_the_office_too(counter: Counter) -> None:
    lock(counter.put())
    give_key(counter.unit)
    assert counter.call("pin.unblock", **OPERATORS) == "SERVED"
    assert opened(counter.unit)[-1] == {"id_tail": "123X"}
    assert rec.KEY_ID_TAIL not in counter.newest()


@pytest.mark.parametrize("digits", ["1234", "12345", "1234567890", "123456789012"])
def test_pins_of_every_length_the_pad_takes(counter: Counter, digits: str) -> None:
    card = counter.put()
    assert reload(counter, digits, digits) == "SERVED"
    assert pin_of(card) == digits + "f" * (len(digits) % 2)


@pytest.mark.parametrize("levels", ["nation", "province", "city"])
@pytest.mark.parametrize("algorithm", ["3des", "sm4"])
def test_both_ciphers_and_psams_of_every_level(tmp_path: Path, algorithm: str, levels: str) -> None:
    region = Region("510100", seed="TEST", algorithm=algorithm, kept_levels=levels)
    counter = Counter(tmp_path, region=region)
    counter.log_on_both()
    card = counter.put()
    assert reload(counter) == "SERVED"
    assert pin_of(card) == NEW
    counter.remove()()
    lock(card)
    counter.log_on_both()
    counter.plan(0.3, counter.insert(card.label))
    assert counter.call("pin.unblock", **OPERATORS) == "SERVED"
    assert card.memory.pin_tries == 6


def test_a_psam_that_takes_one_key_for_one_use_only(tmp_path: Path) -> None:
    counter = Counter(tmp_path)
    counter.world.slot("psam").remove()
    switches = Switches(session_key_kinds="one")
    other = counter.rig.region.issue_psam(TERMINAL, switches=switches, label="strict")
    counter.world.insert("psam", other.label)
    counter.log_on_both()
    counter.put()
    assert reload(counter) == "SERVED"


# -- not done ------------------------------------------------------------------------------------


def test_a_pin_that_is_not_locked_is_not_unblocked(counter: Counter) -> None:
    card = counter.put()
    card.memory.pin_tries = 2
    assert counter.call("pin.unblock", **OPERATORS) == "PIN_NOT_LOCKED"
    assert card.memory.pin_tries == 2


def test_no_pin_no_unblock(counter: Counter) -> None:
    counter.put(pin=None)
    assert counter.call("pin.unblock", **OPERATORS) == "PIN_NOT_SET"


def test_two_different_new_pins_change_nothing(counter: Counter) -> None:
    card = counter.put()
    assert reload(counter, NEW, "111111", NEW, "222222", NEW, "333333") == "PIN_NOT_CHANGED"
    assert pin_of(card) == OLD


@pytest.mark.parametrize("key", ["08-10", "08-09"])
def test_a_psam_without_the_key_says_which(counter: Counter, key: str) -> None:
    card = counter.put()
    del counter.psam.memory.environments[0].keys[key]
    assert reload(counter) == "PSAM_KEY_MISSING"
    assert {"08-10": "PUK", "08-09": "STKSSSE"}[key] in counter.newest()[rec.KEY_DETAIL]
    assert pin_of(card) == OLD


@pytest.mark.parametrize(
    "wrong", [{"id_kind": "none"}, {"id_tail": "123"}, {"id_tail": "12345"}, {"id_tail": "号12X"}]
)
def test_the_identification_has_its_form(counter: Counter, wrong: dict[str, str]) -> None:
    with pytest.raises(RpcError):
        counter.desk.methods()["pin.reload"](**(OPERATORS | wrong))


# -- two people ----------------------------------------------------------------------------------


def refusal(counter: Counter, **how: str) -> str:
    result = counter.call("pin.unblock", **(OPERATORS | how))
    body = counter.newest()
    assert body[rec.KEY_OUTCOME] == outcome(result).number
    assert rec.KEY_CARD_ID not in body
    assert "INSERT_CARD" not in counter.shown, "no card was asked for"
    return result


def test_m4_one_person_is_not_two(counter: Counter) -> None:
    assert refusal(counter, second="ann") == "SECOND_OPERATOR_NEEDED"


def test_m4_both_must_be_logged_on(tmp_path: Path) -> None:
    counter = Counter(tmp_path)
    counter.log_on("ann")
    assert refusal(counter) == "OPERATOR_NOT_LOGGED_ON"
    assert refusal(counter, operator="bob", second="ann") == "OPERATOR_NOT_LOGGED_ON"


def test_m4_both_must_have_the_right(counter: Counter) -> None:
    counter.log_on("cid")
    assert refusal(counter, second="cid") == "OPERATOR_NOT_ALLOWED"


def test_m4_both_must_have_confirmed_within_two_minutes(counter: Counter) -> None:
    counter.hands.now_s += 110
    counter.log_on("bob")
    counter.hands.now_s += 11
    assert refusal(counter) == "SECOND_OPERATOR_NEEDED"
    counter.log_on("ann")
    lock(counter.put())
    assert counter.call("pin.unblock", **OPERATORS) == "SERVED"


def test_m4_a_confirmation_is_good_for_one_act(counter: Counter) -> None:
    card = counter.put()
    lock(card)
    assert counter.call("pin.unblock", **OPERATORS) == "SERVED"
    counter.remove()()
    lock(card)
    counter.plan(0.3, counter.insert(card.label))
    assert counter.call("pin.unblock", **OPERATORS) == "SECOND_OPERATOR_NEEDED"
    assert card.memory.pin_tries == 0


# -- torn ----------------------------------------------------------------------------------------


def put_back(counter: Counter, card: Any) -> Any:
    def act() -> None:
        if counter.world.slot_of(card.label) is None:
            counter.world.insert("user", card.label)

    return act


def exchanges_of(folder: Path, slot: str, is_locked: bool) -> int:
    counter = Counter(folder)
    counter.log_on_both()
    card = counter.put()
    if is_locked:
        lock(card)
    before = counter.world.slot(slot).counters.exchanges
    assert reload(counter) == "SERVED"
    return counter.world.slot(slot).counters.exchanges - before


CARD_EXCHANGES = 13  # from SELECT to PIN CHANGE/UNBLOCK, a 2.0 card


def test_the_count_of_exchanges_is_that_of_a_reload(tmp_path: Path) -> None:
    assert exchanges_of(tmp_path, "user", False) == CARD_EXCHANGES


@pytest.mark.parametrize("tries", [0, 1, 2, 6])
@pytest.mark.parametrize("when", [BEFORE, AFTER, LOST])
@pytest.mark.parametrize("nth", range(1, CARD_EXCHANGES + 1))
def test_m4_a_reload_torn_at_any_exchange_tells_what_the_card_holds(
    counter: Counter, nth: int, when: str, tries: int
) -> None:
    """Never guessed: what is told is what the card holds; on the last try, that nobody knows."""
    card = counter.put()
    card.memory.pin_tries = tries
    counter.world.slot("user").arm(Cut(None, nth, when))
    counter.plan(1.0, put_back(counter, card))
    name = reload(counter, run_s=8)
    is_new = pin_of(card) == NEW
    if name == "PIN_CHANGE_UNCERTAIN":
        assert (tries, is_new) == (1, False), "only this cannot be told"
    elif name == "SERVED":
        assert is_new
        assert card.memory.pin_tries == 6
    else:
        assert not is_new
    assert card.memory.pin_tries >= min(tries, 1), "the last try is the holder's own"
    assert counter.newest()[rec.KEY_OUTCOME] == outcome(name).number


@pytest.mark.parametrize("when", [BEFORE, AFTER, LOST])
def test_m4_an_unblock_torn_at_its_command_tells_what_the_card_holds(
    counter: Counter, when: str
) -> None:
    card = counter.put()
    lock(card)
    counter.world.slot("user").arm(Cut(PIN_INS, 1, when))
    counter.plan(1.0, put_back(counter, card))
    name = counter.call("pin.unblock", 8, **OPERATORS)
    assert name == ("PIN_STILL_LOCKED" if when == BEFORE else "SERVED")
    assert card.memory.pin_tries == (0 if when == BEFORE else 6)


def test_m4_a_card_that_stays_away_is_uncertain_and_said_so(counter: Counter) -> None:
    counter.put()
    counter.world.slot("user").arm(Cut(PIN_INS, 1, AFTER))
    assert reload(counter, run_s=8) == "PIN_CHANGE_UNCERTAIN"
    assert "PIN_CHANGE_CHECKING" in counter.shown


def test_another_card_does_not_answer_for_it(counter: Counter) -> None:
    counter.put()
    other = counter.rig.region.issue_card(2)
    counter.world.slot("user").arm(Cut(PIN_INS, 1, AFTER))
    counter.plan(1.0, counter.insert(other.label))
    assert reload(counter, run_s=8) == "PIN_CHANGE_UNCERTAIN"


PSAM_CUTS = 40


@pytest.mark.parametrize("when", [BEFORE, AFTER, LOST])
@pytest.mark.parametrize("nth", range(1, PSAM_CUTS, 3))
def test_m4_a_psam_torn_at_any_exchange_changes_no_pin_unsaid(
    counter: Counter, nth: int, when: str
) -> None:
    card = counter.put()
    counter.world.slot("psam").arm(Cut(None, nth, when))
    name = reload(counter, run_s=8)
    assert (name == "SERVED") == (pin_of(card) == NEW)


class PowerCut(BaseException):
    pass


def test_m4_a_power_cut_in_the_middle_leaves_who_did_it_in_the_journal(
    counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut(*_: object) -> None:
        raise PowerCut

    counter.put()
    monkeypatch.setattr(CardSession, "secured", cut)
    with pytest.raises(PowerCut):
        reload(counter)
    counter.restart()
    body = counter.newest()
    assert body[rec.KEY_OUTCOME] == outcome("PIN_CHANGE_UNCERTAIN").number
    assert body[rec.KEY_DETAIL] == "pin.reload: sent to the card"
    assert (body[rec.KEY_OPERATOR], body[rec.KEY_SECOND]) == ("ann", "bob")


@pytest.mark.parametrize("when", [BEFORE, AFTER, LOST])
def test_m4_a_card_torn_again_while_it_is_asked_is_asked_again(counter: Counter, when: str) -> None:
    card = counter.put()
    user = counter.world.slot("user")
    user.arm(Cut(PIN_INS, 1, AFTER))

    def back_for_a_moment() -> None:
        put_back(counter, card)()
        user.arm(Cut(VERIFY_INS, 2, when))

    counter.plan(1.0, back_for_a_moment)
    counter.plan(2.0, put_back(counter, card))
    assert reload(counter, run_s=8) == "SERVED"
    assert (pin_of(card), card.memory.pin_tries) == (NEW, 6)


# -- secrets -------------------------------------------------------------------------------------


@pytest.mark.parametrize("when", [None, AFTER])
def test_no_pin_in_log_journal_display_or_answer(
    counter: Counter, caplog: pytest.LogCaptureFixture, when: str | None
) -> None:
    caplog.set_level(logging.DEBUG)
    card = counter.put()
    if when is not None:
        counter.world.slot("user").arm(Cut(PIN_INS, 1, when))
        counter.plan(1.0, put_back(counter, card))
    new = "80264917"
    assert reload(counter, new, new, run_s=8) == "SERVED"
    counter.unit.journal.checkpoint()
    data_dir = counter.rig.board.unit.data_dir
    held = b"".join(path.read_bytes() for path in data_dir.rglob("*") if path.is_file())
    assert b"pin.reload" in held
    shown = repr(counter.display.since()) + repr(counter.fields) + repr(counter.told)
    on_the_card_line = b"".join(command for command, _ in counter.rig.exchanges)
    assert new not in caplog.text + shown
    for secret in (new.encode(), bytes.fromhex(new)):
        assert secret not in held
    if when is None:
        assert bytes.fromhex(new) not in on_the_card_line, "the new PIN goes there enciphered"
