"""What the torn-card tests share: tearing, putting back, and checking the money."""

from __future__ import annotations

from typing import Any

from firmware.authorize import identify, limits, recovery
from firmware.authorize.pin import PinBuffer
from firmware.authorize.visit import begin
from firmware.journal import kinds as rec
from firmware.journal.record import whole_intent
from firmware.psam import keys
from firmware.psam.cipher import des_encrypt
from simulator.slot import BEFORE, Cut
from tests.rig import Rig

START_FEN = 100_000
PAID = (1000, 200, 300)
CARD_EXCHANGES = 29  # a 2.0 card, tests/test_purchase_counts.py
PSAM_EXCHANGES = 16
DEBIT = 0x2C


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


def settle(rig: Rig, reader: Any = None) -> None:
    """What the card loop does with a card found at start.  reader: None is the simulator's slot."""
    rig.world.holder.forget()
    assert limits.check_psam(rig.unit) is None
    visit = begin(rig.unit, reader or rig.user)
    assert identify.read_identity(rig.unit, visit) is None
    for intent in recovery.open_intents_of(rig.unit, visit):
        rig.world.holder.type_pin("123456")
        with PinBuffer() as buffer:
            recovery.recover(rig.unit, visit, intent, buffer)


def tac_of(rig: Rig, card: Any) -> str:
    """The TAC of that payment, computed by the region that holds DTK, not by card or terminal."""
    body = whole_intent(rig.unit.journal.by_order(rig.order_no)[0].body)
    dtk = rig.region.card_key("DTK", card.factor)
    message = keys.tac_message(
        body[rec.KEY_AMOUNTS_SENT],
        bytes((body[rec.KEY_TYPE],)),
        body[rec.KEY_TERMINAL],
        body[rec.KEY_TERMINAL_SERIAL],
        body[rec.KEY_TIME7],
    )
    return keys.mac(des_encrypt, keys.tac_key(dtk, 8), message, 8).hex()


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
