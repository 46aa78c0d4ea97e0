"""M14: special settlements (injury, maternity, relief, other) stand in DF04/EF15 with their serial.

Appended once, read back, journaled; torn there, the totals stay open until the card's next visit.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from firmware.authorize.request import SPECIAL_CLASSES, Request
from firmware.journal import kinds as rec
from simulator.slot import AFTER, BEFORE, LOST, Cut
from simulator.switches import Switches
from tests.rig import Rig
from tests.torn import CARD_EXCHANGES, PAID, put_back

# With an empty EF15, beside those of a usual payment: READ, CHALLENGE (+1), EXTERNAL AUTHENTICATE,
# UPDATE RECORD, READ, READ past its end.
SPECIAL_EXCHANGES = 6
FIRST_AFTER_DEBIT = 24


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    made = Rig(tmp_path)
    made.psam()
    return made


def kept(card: Any) -> list[bytes]:
    return list(card.memory.files["DF04/15"])


def totals(rig: Rig, after: int = 0) -> list[dict[int, Any]]:
    rig.unit.journal.flush()
    records = rig.unit.journal.records(after, 1000)
    return [each.body for each in records if each.kind == rec.KIND_TOTALS]


@pytest.mark.parametrize("kind", SPECIAL_CLASSES)
def test_m14_serial_and_class_of_a_special_settlement_stand_in_the_card(
    rig: Rig, kind: str
) -> None:
    card = rig.card(purchase_serial=0x1234)
    assert rig.pay(*PAID, special=kind).name == "APPROVED"
    assert kept(card) == [b"\x12\x34" + kind.encode()]
    assert rig.result()["special"] == kind
    (body,) = totals(rig)
    assert (body[rec.KEY_SPECIAL_STATE], body[rec.KEY_TOTALS_STATE]) == (1, 1)
    assert rig.pay(*PAID).name == "APPROVED"
    assert len(kept(card)) == 1
    assert rec.KEY_SPECIAL_STATE not in totals(rig)[1]
    assert "special" not in rig.result()


@pytest.mark.parametrize("kind", ["", "0", "4", "11", 1, True, []])
def test_a_class_that_is_none_is_refused(kind: Any) -> None:
    with pytest.raises(ValueError, match="special is one of 1, 2, 3, 9"):
        Request("A-1", "07", 100, 0, 0, kind)


@pytest.mark.parametrize("when", [BEFORE, AFTER, LOST])
@pytest.mark.parametrize("nth", range(FIRST_AFTER_DEBIT, CARD_EXCHANGES + SPECIAL_EXCHANGES + 1))
def test_m14_torn_after_debit_the_class_is_kept_once_and_the_totals_are_closed(
    rig: Rig, nth: int, when: str
) -> None:
    card = rig.card()
    rig.user.arm(Cut(None, nth, when))
    rig.hands.later(0.5, put_back(rig, card))
    assert rig.pay(*PAID, special="2").name == "APPROVED"
    rig.user.disarm()
    put_back(rig, card)()
    rig.world.holder.forget()
    assert rig.pay(*PAID, special="3").name == "APPROVED"
    assert kept(card) == [b"\x00\x023", b"\x00\x012"]
    assert [body[rec.KEY_SPECIAL_STATE] for body in totals(rig)] == [1, 1]
    assert int(card.item("DF04", 0x06, 0x93)) == 2


def test_the_exchanges_of_a_special_settlement_are_counted(rig: Rig) -> None:
    """The torn test above reaches each of them."""
    rig.card()
    rig.unit.psam.start()
    rig.user.reset_counters()
    assert rig.pay(*PAID, special="1").name == "APPROVED"
    assert rig.user.counters.exchanges == CARD_EXCHANGES + SPECIAL_EXCHANGES


@pytest.mark.parametrize("switches", list(Switches.every()), ids=lambda each: repr(each.changed()))
def test_m14_every_switch_keeps_the_class(rig: Rig, switches: Switches) -> None:
    card = rig.card(switches=switches)
    assert rig.pay(*PAID, special="9").name == "APPROVED"
    assert kept(card) == [b"\x00\x019"]
    assert [body[rec.KEY_SPECIAL_STATE] for body in totals(rig)] == [1]


def test_a_newer_one_from_elsewhere_is_not_reordered_and_the_office_is_told(
    rig: Rig,
) -> None:
    card = rig.card()
    rig.user.arm(Cut(None, FIRST_AFTER_DEBIT + 1, BEFORE))
    assert rig.pay(*PAID, special="2").name == "APPROVED"
    card.memory.files["DF04/15"].insert(0, b"\x00\x091")  # another terminal's
    card.memory.purchase_serial = 10
    put_back(rig, card)()
    rig.world.holder.forget()
    assert rig.pay(*PAID).name == "APPROVED"
    assert kept(card) == [b"\x00\x091"]
    assert totals(rig)[0][rec.KEY_SPECIAL_STATE] == 2


@pytest.mark.parametrize(
    "how", [{"generation": "1.0", "has_ef06": False}, {"has_ef06": False}], ids=["1.0", "no EF06"]
)
def test_a_card_without_the_file_is_paid_and_the_office_is_told(rig: Rig, how: Any) -> None:
    card = rig.card(**how)
    card.memory.files.pop("DF04/15", None)
    card.structure.pop(("DF04", 0x15), None)
    assert rig.pay(*PAID, special="1").name == "APPROVED"
    (body,) = totals(rig)
    assert (body[rec.KEY_SPECIAL_STATE], body[rec.KEY_TOTALS_STATE]) == (2, 2)
    assert rig.pay(*PAID).name == "APPROVED"
