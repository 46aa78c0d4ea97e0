"""What the clerk reads while a torn payment is checked: each thing once, with order and amount."""

from __future__ import annotations

from itertools import count
from pathlib import Path

import pytest

from firmware.outcome import TransportError
from simulator.slot import AFTER, BEFORE, LOST, Cut
from tests.rig import Rig

DEBIT = 0x2C
PAID = (1000, 200, 300)


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    """Its display keeps (message id, fields)."""
    rig = Rig(tmp_path)
    rig.messages = []
    rig.unit.show = lambda message_id, **fields: rig.messages.append((message_id, fields))
    rig.psam()
    return rig


def shown(rig: Rig, message_id: str) -> list[dict[str, str]]:
    return [fields for name, fields in rig.messages if name == message_id]


@pytest.mark.parametrize(("when", "name"), [(AFTER, "APPROVED_FOUND_LATER"), (BEFORE, "NOT_TAKEN")])
@pytest.mark.parametrize("generation", ["1.0", "3.0"])
def test_the_result_is_shown_once_and_last(rig: Rig, generation: str, when: str, name: str) -> None:
    """Not before the totals are written: it tells the holder to take the card."""
    card = rig.card(generation=generation)
    rig.user.arm(Cut(DEBIT, 1, when))
    rig.hands.later(1.0, lambda: rig.world.insert("user", card.label))
    assert rig.pay(*PAID).name == name
    assert shown(rig, name) == [{"order_no": rig.order_no, "amount": "15.00"}]
    assert rig.messages[-1][0] == name


def test_a_card_that_stays_away_is_asked_for_once(rig: Rig) -> None:
    """A window would scroll away, ten times a second, what was said before."""
    card = rig.card()
    other = rig.region.issue_card(9)
    rig.user.arm(Cut(DEBIT, 1, AFTER))
    rig.hands.later(0.8, lambda: rig.world.insert("user", other.label))
    rig.hands.later(1.4, rig.user.remove)
    rig.hands.later(2.0, lambda: rig.world.insert("user", card.label))
    assert rig.pay(*PAID).name == "APPROVED_FOUND_LATER"
    names = [name for name, _ in rig.messages]
    at = names.index("PUT_CARD_BACK")
    assert names[at : at + 4] == [
        "PUT_CARD_BACK", "ANOTHER_CARD", "PUT_CARD_BACK", "CHECKING_LAST_PAYMENT",
    ]  # fmt: skip


def test_a_card_that_stays_and_says_nothing_is_asked_for_too(rig: Rig, monkeypatch) -> None:
    """Its reader is busy with it for a while; the screen must not go on asking for the PIN."""
    rig.card()
    rig.user.arm(Cut(DEBIT, 1, LOST))
    power_on, calls = rig.user.power_on, count(1)

    def busy_for_a_while() -> bytes:
        if next(calls) in (2, 3, 4):  # the first is the payment's own
            raise TransportError("the card still keeps its reader busy", "silent")
        return power_on()

    monkeypatch.setattr(rig.user, "power_on", busy_for_a_while)
    assert rig.pay(*PAID).name == "APPROVED_FOUND_LATER"
    names = [name for name, _ in rig.messages]
    assert names[-3:] == ["PUT_CARD_BACK", "CHECKING_LAST_PAYMENT", "APPROVED_FOUND_LATER"]
    assert names.count("PUT_CARD_BACK") == 1
