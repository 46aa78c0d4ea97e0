"""M14: cards, PSAMs and power torn away at every exchange of a purchase.

Whatever is cut, and whatever the card's maker chose where the sources disagree: after recovery the
payment is exactly DONE, VOID, SUSPECT or UNCERTAIN by the evidence table, the card's money and the
records agree, DEBIT was sent once at most, and the terminal goes on.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rig import Rig

from firmware.authorize import recovery
from firmware.authorize.pin import PinBuffer
from firmware.authorize.visit import begin
from firmware.journal import record as rec
from simulator.slot import AFTER, BEFORE, LOST, Cut
from simulator.switches import Switches

START_FEN = 100_000
PAID = (1000, 200, 300)
CARD_EXCHANGES = 29  # a 2.0 card, tests/test_purchase_counts.py
PSAM_EXCHANGES = 16
DEBIT = 0x2C


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path)


def put_back(rig: Rig, card: Any, slot: str = "user") -> Any:
    def act() -> None:
        if rig.world.slot_of(card.label) is None:
            rig.world.insert(slot, card.label)

    return act


def pay_torn(rig: Rig, card: Any, cut: Cut, slot: str = "user") -> str:
    """One payment with that cut; whoever was pulled out comes back half a second later."""
    rig.world.slot(slot).arm(cut)
    rig.hands.later(0.5, put_back(rig, card, slot))
    name = rig.pay(*PAID).name
    rig.hands.wait(1)
    rig.world.slot(slot).disarm()
    return name


def check_money(rig: Rig, card: Any, paid: int) -> None:
    """The card's own money says that so many of PAID were taken, the records say the same."""
    account, own, pooled = PAID
    assert card.balance_fen == START_FEN - paid * account
    assert (card.yearly_self_fen, card.yearly_pooled_fen) == (paid * own, paid * pooled)
    rig.unit.journal.flush()
    done = [each for each in rig.unit.journal.records(0, 1000) if each.kind == rec.KIND_DONE]
    assert len(done) == paid
    assert rig.unit.journal.open_intents() == []


def check_goes_on(rig: Rig, card: Any, paid: int) -> None:
    """The same card pays again, and its offline totals then count every payment."""
    rig.world.holder.forget()
    assert rig.pay(*PAID).name == "APPROVED"
    check_money(rig, card, paid + 1)
    assert int(card.item("DF04", 0x06, 0x92).hex()) == (paid + 1) * sum(PAID)
    assert int(card.item("DF04", 0x06, 0x93)) == paid + 1


def debits(rig: Rig) -> int:
    return sum(command[:2] == b"\xb0\x2c" for command, _ in rig.exchanges)


@pytest.mark.parametrize("when", [BEFORE, AFTER, LOST])
@pytest.mark.parametrize("nth", range(1, CARD_EXCHANGES + 1))
def test_m14_a_card_torn_at_any_exchange_is_paid_once_or_not_at_all(
    rig: Rig, nth: int, when: str
) -> None:
    rig.psam()
    card = rig.card()
    pay_torn(rig, card, Cut(None, nth, when))
    state = rig.result()["state"]
    assert state in ("DONE", "VOID", "DECLINED")
    assert debits(rig) <= 1
    paid = int(card.balance_fen != START_FEN)
    assert (state == "DONE") == bool(paid)
    check_money(rig, card, paid)
    check_goes_on(rig, card, paid)


@pytest.mark.parametrize("when", [BEFORE, AFTER, LOST])
@pytest.mark.parametrize("nth", range(1, PSAM_EXCHANGES + 1))
def test_m14_a_psam_torn_at_any_exchange_never_loses_a_payment(
    rig: Rig, nth: int, when: str
) -> None:
    psam = rig.psam()
    card = rig.card()
    rig.unit.psam.start()
    pay_torn(rig, psam, Cut(None, nth, when), slot="psam")
    paid = int(card.balance_fen != START_FEN)
    assert (rig.result()["state"] == "DONE") == bool(paid)
    check_money(rig, card, paid)
    check_goes_on(rig, card, paid)


class Killed(BaseException):
    """kill -9, or the plug."""


def kill_at(rig: Rig, nth: int, when: str) -> None:
    """The process dies at the nth exchange of card and PSAM together."""
    count = 0

    def wrap(slot: Any) -> Any:
        real = slot.exchange

        def exchange(command: bytes, deadline_s: float) -> bytes:
            nonlocal count
            count += 1
            if count == nth and when == BEFORE:
                raise Killed
            answer = real(command, deadline_s)
            if count == nth:
                raise Killed
            return answer

        return exchange

    for name in ("user", "psam"):
        slot = rig.world.slot(name)
        slot.exchange = wrap(slot)


def revive(rig: Rig) -> None:
    for name in ("user", "psam"):
        del rig.world.slot(name).__dict__["exchange"]
    rig.restart()


def settle(rig: Rig) -> None:
    """What the card loop does with a card found at start."""
    from firmware.authorize import identify, limits

    rig.world.holder.forget()
    assert limits.check_psam(rig.unit) is None
    visit = begin(rig.unit, rig.user)
    assert identify.read_identity(rig.unit, visit) is None
    for intent in recovery.open_intents_of(rig.unit, visit):
        rig.world.holder.type_pin("123456")
        with PinBuffer() as buffer:
            recovery.recover(rig.unit, visit, intent, buffer)


@pytest.mark.parametrize("when", [BEFORE, AFTER])
@pytest.mark.parametrize("nth", range(1, CARD_EXCHANGES + PSAM_EXCHANGES + 1))
def test_m14_a_process_killed_at_any_exchange_recovers_with_the_card(
    rig: Rig, nth: int, when: str
) -> None:
    rig.psam()
    card = rig.card()
    rig.unit.psam.start()
    kill_at(rig, nth, when)
    with pytest.raises(Killed):
        rig.pay(*PAID)
    revive(rig)
    settle(rig)
    paid = int(card.balance_fen != START_FEN)
    check_money(rig, card, paid)
    check_goes_on(rig, card, paid)


def every_card_switch() -> Iterator[Any]:
    for switches in Switches.every():
        if switches.proof_serial:  # a Switches, never empty
            yield pytest.param(switches, id=repr(switches.changed()) or "default")


@pytest.mark.parametrize("switches", list(every_card_switch()))
@pytest.mark.parametrize("when", [None, BEFORE, AFTER, LOST])
def test_m14_every_switch_of_the_simulator_pays_and_recovers(
    rig: Rig, switches: Switches, when: str | None
) -> None:
    psam = rig.psam(switches=switches)
    assert psam is not None
    card = rig.card(switches=switches)
    if when is None:
        assert rig.pay(*PAID).name == "APPROVED"
        check_goes_on(rig, card, 1)
        return
    pay_torn(rig, card, Cut(DEBIT, 1, when))
    assert rig.result()["state"] == ("VOID" if when == BEFORE else "DONE")
    paid = int(when != BEFORE)
    check_money(rig, card, paid)
    check_goes_on(rig, card, paid)


@pytest.mark.parametrize(
    "switches",
    [
        pytest.param(each, id=repr(each.changed()))
        for each in Switches.product(
            "proof_serial", "proof_kept", "proof_type", "queries_keep_state"
        )
    ],
)
@pytest.mark.parametrize("when", [BEFORE, AFTER, LOST])
@pytest.mark.parametrize("earlier", [0, 1])
def test_m14_proof_conventions_never_turn_an_older_proof_into_ours(
    rig: Rig, switches: Switches, when: str, earlier: int
) -> None:
    """Under "+1" the proof of the payment before answers to our serial: it must not count."""
    rig.psam()
    card = rig.card(switches=switches)
    for _ in range(earlier):
        assert rig.pay(*PAID).name == "APPROVED"
    pay_torn(rig, card, Cut(DEBIT, 1, when))
    paid = int(when != BEFORE)
    assert rig.result()["state"] == ("DONE" if paid else "VOID")
    check_money(rig, card, earlier + paid)
    if paid:
        last = rig.unit.journal.by_order(rig.order_no)[1]
        assert last.body[rec.KEY_TAC_STATE] == 1
        assert last.body[rec.KEY_TAC] == bytes.fromhex(tac_of(rig, card))


def tac_of(rig: Rig, card: Any) -> str:
    """The TAC of that payment, computed by the region that holds DTK, not by card or terminal."""
    from firmware.psam import keys
    from firmware.psam.cipher import des_encrypt

    body = rig.unit.journal.by_order(rig.order_no)[0].body
    dtk = rig.region.card_key("DTK", card.factor)
    message = keys.tac_message(
        body[rec.KEY_AMOUNTS_SENT],
        bytes((body[rec.KEY_TYPE],)),
        body[rec.KEY_TERMINAL],
        body[rec.KEY_TERMINAL_SERIAL],
        body[rec.KEY_TIME7],
    )
    return keys.mac(des_encrypt, keys.tac_key(dtk, 8), message, 8).hex()


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
    from firmware.authorize import identify

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
