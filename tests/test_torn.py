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

from firmware.journal import kinds as rec
from simulator.slot import AFTER, BEFORE, LOST, Cut
from simulator.switches import Switches
from tests.rig import Rig
from tests.torn import (
    CARD_EXCHANGES,
    DEBIT,
    PAID,
    PSAM_EXCHANGES,
    START_FEN,
    Killed,
    check_goes_on,
    check_money,
    debits,
    kill_at,
    pay_torn,
    revive,
    settle,
    tac_of,
)


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path)


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
