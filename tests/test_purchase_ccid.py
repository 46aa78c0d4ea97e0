"""M14 through `ccid:`: user card and PSAM in one serial reader, on a pty.

The exchanges are those of tests/test_purchase_counts.py, whoever makes T=0 of the APDUs.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from firmware.drivers.ccid_reader import open_ccid
from simulator.ccid_device import CcidDevice
from simulator.slot import AFTER, BEFORE, LOST, Cut
from tests.rig import Rig
from tests.torn import (
    CARD_EXCHANGES,
    DEBIT,
    PAID,
    PSAM_EXCHANGES,
    START_FEN,
    check_goes_on,
    check_money,
    debits,
    pay_torn,
    settle,
)

XFR = 0x6F
MODELS = {"gempc": {"echoes": True}, "sec1210": {}, "apdu": {"is_apdu": True}}


@contextmanager
def terminal(
    folder: Path, model: str = "gempc", card_slot: str = "user"
) -> Iterator[tuple[Rig, CcidDevice]]:
    """card_slot: "user" for a card that speaks T=0, "contactless" for one that speaks T=1."""
    rig = Rig(folder, edit={"exchange_s = 20": "exchange_s = 3"})  # threads take real time
    slots = [rig.world.slot(card_slot), rig.world.slot("psam")]
    with CcidDevice(folder / "reader", slots, **MODELS[model]) as device:
        user, psam = (open_ccid(f"{folder}/reader#{slot}?{model}") for slot in (0, 1))
        rig.attach(user, psam)
        yield rig, device
        user.close()
        psam.close()


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(
    ("how", "card", "psam"),
    [
        ({"generation": "1.0", "has_ef06": False}, 18, 10),
        ({"generation": "2.0", "has_ef06": False}, 21, 13),
        ({"generation": "2.0"}, 29, 16),
        ({"generation": "3.0"}, 31, 19),
    ],
    ids=["1.0", "2.0 without EF06", "2.0", "3.0"],
)
def test_m14_a_purchase_through_a_serial_reader(
    tmp_path: Path, model: str, how: dict[str, Any], card: int, psam: int
) -> None:
    with terminal(tmp_path, model) as (rig, device):
        rig.psam()
        paid = rig.card(**how)
        rig.unit.psam.start()
        for name in ("user", "psam"):
            rig.world.slot(name).reset_counters()
        device.messages.clear()

        assert rig.pay(*PAID).name == "APPROVED"

        assert rig.world.slot("user").counters.exchanges == card
        assert rig.world.slot("psam").counters.exchanges == psam
        check_money(rig, paid, 1)
        if model != "apdu":
            sent = [each for each in device.messages if each[0] == XFR]
            assert len(sent) == card + psam


@pytest.mark.parametrize("model", MODELS)
def test_m14_a_purchase_with_a_card_that_speaks_t1(tmp_path: Path, model: str) -> None:
    """T=1 carries answers whole, as T=CL does: five GET RESPONSEs fewer."""
    with terminal(tmp_path, model, "contactless") as (rig, _):
        rig.psam()
        paid = rig.card(slot="contactless", generation="3.0", contactless=True)
        rig.unit.psam.start()
        for name in ("contactless", "psam"):
            rig.world.slot(name).reset_counters()
        assert rig.pay(*PAID).name == "APPROVED"
        assert rig.world.slot("contactless").counters.exchanges == 26
        assert rig.world.slot("psam").counters.exchanges == 19
        check_money(rig, paid, 1)


@pytest.mark.parametrize("fault", ["wrong_edc", "lost", "garbage", "cut", "wtx", "deaf"])
def test_m14_t1_carries_debit_once_over_a_bad_line(tmp_path: Path, fault: str) -> None:
    """Blocks are repeated, the command never: the card counts one exchange for each."""
    with terminal(tmp_path, "gempc", "contactless") as (rig, device):
        rig.psam()
        paid = rig.card(slot="contactless", generation="3.0", contactless=True)
        rig.unit.psam.start()
        rig.world.slot("contactless").reset_counters()
        exchange = rig.world.slot("contactless").exchange

        def spoilt(command: bytes) -> bytes:
            setattr(device.slots[0].blocks.faults, fault, 1)
            return exchange(command)

        device.slots[0].blocks._transmit = spoilt
        assert rig.pay(*PAID).name == "APPROVED"
        assert rig.world.slot("contactless").counters.exchanges == 26
        check_money(rig, paid, 1)


@pytest.mark.parametrize("when", [BEFORE, AFTER, LOST])
def test_m14_a_card_torn_at_debit_is_paid_once_or_not_at_all(tmp_path: Path, when: str) -> None:
    with terminal(tmp_path) as (rig, _):
        rig.psam()
        card = rig.card()
        pay_torn(rig, card, Cut(DEBIT, 1, when))
        paid = int(when != BEFORE)
        assert rig.result()["state"] == ("DONE" if paid else "VOID")
        assert debits(rig) <= 1
        assert card.balance_fen == START_FEN - paid * PAID[0]
        check_money(rig, card, paid)
        check_goes_on(rig, card, paid)


@pytest.mark.parametrize("when", [BEFORE, AFTER, LOST])
@pytest.mark.parametrize("nth", range(1, CARD_EXCHANGES + 1, 4))
def test_m14_a_card_torn_on_the_way_is_paid_once_or_not_at_all(
    tmp_path: Path, nth: int, when: str
) -> None:
    with terminal(tmp_path) as (rig, _):
        rig.psam()
        card = rig.card()
        pay_torn(rig, card, Cut(None, nth, when))
        paid = int(card.balance_fen != START_FEN)
        assert (rig.result()["state"] == "DONE") == bool(paid)
        check_money(rig, card, paid)


@pytest.mark.parametrize("nth", range(1, PSAM_EXCHANGES + 1, 5))
def test_m14_a_psam_torn_on_the_way_never_loses_a_payment(tmp_path: Path, nth: int) -> None:
    with terminal(tmp_path) as (rig, _):
        psam = rig.psam()
        card = rig.card()
        rig.unit.psam.start()
        pay_torn(rig, psam, Cut(None, nth, AFTER), slot="psam")
        paid = int(card.balance_fen != START_FEN)
        assert (rig.result()["state"] == "DONE") == bool(paid)
        check_money(rig, card, paid)


@pytest.mark.parametrize(
    "way", ["nak", "nak_after", "bad_lrc", "cut", "mute", "mute_after", "busy"]
)
def test_m14_a_reader_that_fails_at_debit_has_it_sent_once(tmp_path: Path, way: str) -> None:
    """The card sees DEBIT once at most, and the evidence decides."""
    with terminal(tmp_path) as (rig, device):
        rig.psam()
        card = rig.card()
        device.misbehave(way, XFR, ins=DEBIT)
        rig.pay(*PAID)
        sent = [each for each in device.messages if each[10:12] == b"\xb0\x2c"]
        assert len(sent) <= 1
        paid = int(card.balance_fen != START_FEN)
        assert paid == int(way in ("nak_after", "bad_lrc", "cut", "mute_after"))
        assert rig.result()["state"] == ("DONE" if paid else "VOID")
        check_money(rig, card, paid)
        check_goes_on(rig, card, paid)


def test_m14_a_reader_that_vanishes_at_debit_takes_the_psam_along_and_both_return(
    tmp_path: Path,
) -> None:
    """Card and PSAM lose their power; the payment stays open until the card loop has both again."""
    with terminal(tmp_path) as (rig, device):
        rig.psam()
        card = rig.card()
        device.misbehave("vanish", XFR, ins=DEBIT)
        rig.hands.later(0.5, device.plug_in)
        assert rig.pay(*PAID).name == "PUT_CARD_BACK"
        assert rig.result()["state"] == "OPEN"
        settle(rig, rig.readers[0])
        assert rig.result()["state"] == "DONE"
        sent = [each for each in device.messages if each[10:12] == b"\xb0\x2c"]
        assert len(sent) == 1
        check_money(rig, card, 1)
        check_goes_on(rig, card, 1)
