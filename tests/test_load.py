"""M14: loads. The host alone can allow one; the card is credited once or not at all.

Torn before, after, with the answer lost, or the process killed, at every exchange: the records
and the card's money agree, CREDIT FOR LOAD is sent once at most, and the terminal goes on.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from firmware.authorize.load import result_of
from firmware.authorize.recovery import write_overdue
from firmware.journal import kinds as rec
from firmware.outcome import outcome
from office import tac
from simulator.region import Region
from simulator.slot import AFTER, BEFORE, LOST, Cut
from simulator.switches import Switches
from tests.load_rig import (
    AMOUNT_FEN,
    CREDIT,
    LOAD_EXCHANGES,
    PSAM_EXCHANGES,
    Host,
    credits,
    expected_tac,
    load,
)
from tests.rig import Rig
from tests.torn import PAID, START_FEN, Killed, kill_at, put_back, revive, settle


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path)


def told(rig: Rig, order_no: str = "L-1") -> dict[str, Any] | None:
    return result_of(rig.unit.journal.by_order(order_no))


def state(rig: Rig, order_no: str = "L-1") -> str:
    found = told(rig, order_no)
    return "NONE" if found is None else found["state"]


def check_money(rig: Rig, card: Any, loaded: int) -> None:
    assert card.balance_fen == START_FEN + loaded * AMOUNT_FEN
    rig.unit.journal.flush()
    kinds = [each.kind for each in rig.unit.journal.records(0, 1000)]
    assert kinds.count(rec.KIND_LOAD_DONE) == loaded
    assert rig.unit.journal.open_loads() == []


def check_goes_on(rig: Rig, card: Any, loaded: int) -> None:
    """The same card takes another load, and pays."""
    put_back(rig, card)()
    Host(rig, card)
    assert load(rig, "L-next") == "LOADED"
    check_money(rig, card, loaded + 1)
    rig.world.holder.forget()
    assert rig.pay(*PAID).name == "APPROVED"


def torn(rig: Rig, card: Any, cut: Cut, slot: str = "user") -> str:
    rig.world.slot(slot).arm(cut)
    rig.hands.later(0.5, put_back(rig, card, slot))
    name = load(rig)
    rig.hands.wait(1)
    rig.world.slot(slot).disarm()
    put_back(rig, card, slot)()
    return name


@pytest.mark.parametrize("algorithm", ["3des", "sm4"])
@pytest.mark.parametrize("balance", ["after", "before"])
def test_m14_a_load_credits_the_card_and_its_tac_is_the_regions(
    tmp_path: Path, algorithm: str, balance: str
) -> None:
    rig = Rig(tmp_path, Region("510100", seed="TEST", algorithm="both"))
    rig.psam()
    switches = Switches(load_tac_balance=balance)
    card = rig.card(generation="3.0", algorithm=algorithm, switches=switches)
    host = Host(rig, card)
    assert load(rig) == "LOADED"
    assert "ASKING_HOST" in rig.shown
    assert rig.shown[-1] == "LOADED"
    (asked,) = host.asked
    assert (asked["balance_fen"], asked["load_serial"]) == (START_FEN, 1)
    check_money(rig, card, 1)
    result = told(rig)
    assert result is not None
    assert (result["state"], result["amount_fen"]) == ("DONE", AMOUNT_FEN)
    intent = rig.unit.journal.by_order("L-1")[0]
    covered = START_FEN + (AMOUNT_FEN if balance == "after" else 0)
    assert result["tac"] == expected_tac(rig, card, intent.body, covered).hex()
    assert rig.unit.journal.spent_fen(20261122) == 0  # a load spends nothing


def test_the_exchanges_of_a_load_are_counted(rig: Rig) -> None:
    """The torn tests below reach each of them."""
    rig.psam()
    card = rig.card()
    Host(rig, card)
    rig.unit.psam.start()
    rig.user.reset_counters()
    rig.world.slot("psam").reset_counters()
    assert load(rig) == "LOADED"
    assert rig.user.counters.exchanges == LOAD_EXCHANGES
    assert rig.world.slot("psam").counters.exchanges == PSAM_EXCHANGES


@pytest.mark.parametrize("when", [BEFORE, AFTER, LOST])
@pytest.mark.parametrize("nth", range(1, LOAD_EXCHANGES + 1))
def test_m14_a_card_torn_at_any_exchange_is_loaded_once_or_not_at_all(
    rig: Rig, nth: int, when: str
) -> None:
    rig.psam()
    card = rig.card()
    Host(rig, card)
    torn(rig, card, Cut(None, nth, when))
    loaded = int(card.balance_fen != START_FEN)
    assert state(rig) == ("DONE" if loaded else "VOID" if nth >= LOAD_EXCHANGES - 1 else "NONE")
    assert credits(rig) <= 1
    check_money(rig, card, loaded)
    check_goes_on(rig, card, loaded)


@pytest.mark.parametrize("when", [BEFORE, AFTER])
@pytest.mark.parametrize("nth", range(1, LOAD_EXCHANGES + PSAM_EXCHANGES + 1))
def test_m14_a_process_killed_at_any_exchange_recovers_with_the_card(
    rig: Rig, nth: int, when: str
) -> None:
    rig.psam()
    card = rig.card()
    Host(rig, card)
    rig.unit.psam.start()
    kill_at(rig, nth, when)
    with pytest.raises(Killed):
        load(rig)
    revive(rig)
    settle(rig)
    loaded = int(card.balance_fen != START_FEN)
    check_money(rig, card, loaded)
    check_goes_on(rig, card, loaded)


PROOFS = Switches.product("load_tac_balance", "proof_serial", "proof_kept", "proof_type")


@pytest.mark.parametrize("switches", list(PROOFS), ids=lambda each: repr(each.changed()))
@pytest.mark.parametrize("when", [BEFORE, AFTER, LOST])
@pytest.mark.parametrize("earlier", ["nothing", "a load", "a payment"])
def test_m14_every_reading_of_proof_and_tac_recovers_a_torn_load(
    rig: Rig, switches: Switches, when: str, earlier: str
) -> None:
    rig.psam()
    card = rig.card(switches=switches, balance_fen=START_FEN)
    Host(rig, card)
    loaded = 0
    if earlier == "a load":
        assert load(rig, "L-0") == "LOADED"
        loaded = 1
    elif earlier == "a payment":
        assert rig.pay(0, 200, 300).name == "APPROVED"
    name = torn(rig, card, Cut(CREDIT, 1, when))
    assert name == ("NOT_LOADED" if when == BEFORE else "LOADED_FOUND_LATER")
    check_money(rig, card, loaded + (when != BEFORE))
    if when != BEFORE:
        intent, done = rig.unit.journal.by_order("L-1")[:2]
        before_fen = START_FEN + loaded * AMOUNT_FEN
        covered = before_fen + (AMOUNT_FEN if switches.load_tac_balance == "after" else 0)
        assert done.body[rec.KEY_TAC] == expected_tac(rig, card, intent.body, covered)
        assert done.body[rec.KEY_KNOWN_BY] == 3


@pytest.mark.parametrize("when", [BEFORE, AFTER])
@pytest.mark.parametrize("between", ["nothing", "a payment elsewhere", "a load elsewhere"])
def test_m14_a_load_whose_card_stays_away_is_settled_after_a_restart(
    tmp_path: Path, when: str, between: str
) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    rig = Rig(tmp_path / "one")
    rig.psam()
    card = rig.card()
    Host(rig, card)
    rig.user.arm(Cut(CREDIT, 1, when))
    assert load(rig) == "PUT_CARD_BACK"
    assert state(rig) == "OPEN"
    rig.restart()
    other = Rig(tmp_path / "two", rig.region, {"510100000001": "510100000002"})
    other.psam(terminal_number="510100000002")
    other.world.insert("user", card.label)
    if between == "a payment elsewhere":
        assert other.pay(*PAID).name == "APPROVED"
    elif between == "a load elsewhere":
        Host(other, card)
        assert load(other, "O-1", 700) == "LOADED"
    other.user.remove()
    rig.world.insert("user", card.label)
    settle(rig)
    assert state(rig) == ("VOID" if when == BEFORE else "DONE")
    result = told(rig)
    assert result is not None
    if when != BEFORE:  # another transaction has taken the place of the proof
        assert (result["tac"] is None) == (between != "nothing")
    moved = {"nothing": 0, "a payment elsewhere": -PAID[0], "a load elsewhere": 700}[between]
    assert card.balance_fen == START_FEN + moved + (AMOUNT_FEN if when != BEFORE else 0)
    assert credits(rig) <= 1


def test_m14_a_load_torn_twice_is_still_settled(rig: Rig) -> None:
    """Torn at CREDIT, and its recovery torn at each exchange in turn."""
    rig.psam()
    card = rig.card()
    for nth in range(1, 16):
        Host(rig, card)
        before_fen = card.balance_fen
        rig.user.arm(Cut(CREDIT, 1, AFTER))
        rig.hands.later(0.3, put_back(rig, card))
        rig.hands.later(0.3, lambda nth=nth: rig.user.arm(Cut(None, nth, AFTER)))
        rig.hands.later(0.8, put_back(rig, card))
        load(rig, f"L-{nth}")
        rig.hands.wait(1)
        rig.user.disarm()
        put_back(rig, card)()
        assert state(rig, f"L-{nth}") == "DONE"
        assert card.balance_fen == before_fen + AMOUNT_FEN
    assert rig.unit.journal.open_loads() == []


def test_a_wrong_mac2_loads_nothing_and_is_proved_so(rig: Rig) -> None:
    rig.psam()
    card = rig.card()
    Host(rig, card).flips = 1
    assert load(rig) == "NOT_LOADED"
    check_money(rig, card, 0)
    Host(rig, card)
    assert load(rig) == "LOADED"  # the same order may be begun again after a VOID
    check_money(rig, card, 1)


@pytest.mark.parametrize("algorithm", ["3des", "sm4"])
@pytest.mark.parametrize("balance", ["after", "before"])
def test_the_office_verifies_the_tac_of_a_load(
    tmp_path: Path, algorithm: str, balance: str
) -> None:
    rig = Rig(tmp_path, Region("510100", seed="TEST", algorithm="both"))
    rig.psam()
    switches = Switches(load_tac_balance=balance)
    card = rig.card(generation="3.0", algorithm=algorithm, switches=switches)
    Host(rig, card)
    assert load(rig) == "LOADED"
    intent, done = rig.unit.journal.by_order("L-1")
    dtk = rig.region.tree_of(card).root("DTK", 3)
    held = tac.TacKeys((tac.Root(algorithm, 1, 0, "", dtk),))
    assert held.state(done, intent.body) == "verified"
    assert held.state(done, intent.body | {rec.KEY_LOAD_FEN: 1}) == "WRONG"


@pytest.mark.parametrize("name", ["HOST_SILENT", "CANCELLED"])
def test_without_the_hosts_answer_nothing_happens(rig: Rig, name: str) -> None:
    rig.psam()
    card = rig.card()
    Host(rig, card).refuses = outcome(name)
    assert load(rig) == name
    assert (state(rig), credits(rig)) == ("NONE", 0)
    check_goes_on(rig, card, 0)


def test_the_same_order_is_never_loaded_twice(rig: Rig) -> None:
    rig.psam()
    card = rig.card()
    Host(rig, card)
    assert load(rig) == "LOADED"
    assert load(rig) == "LOADED"
    check_money(rig, card, 1)
    assert credits(rig) == 1


def test_an_open_load_that_stays_away_becomes_uncertain_and_is_settled_later(rig: Rig) -> None:
    rig.psam()
    card = rig.card()
    Host(rig, card)
    rig.user.arm(Cut(CREDIT, 1, AFTER))
    assert load(rig) == "PUT_CARD_BACK"
    rig.hands.now_s += rig.board.journal.uncertain_after_h * 3600 + 1
    write_overdue(rig.unit)
    write_overdue(rig.unit)
    assert state(rig) == "UNCERTAIN"
    put_back(rig, card)()
    settle(rig)
    assert state(rig) == "DONE"
    kinds = [each.kind_name for each in rig.unit.journal.by_order("L-1")]
    assert kinds == ["LOAD_INTENT", "LOAD_UNCERTAIN", "LOAD_DONE"]


@pytest.mark.parametrize("switches", list(Switches.every()), ids=lambda each: repr(each.changed()))
@pytest.mark.parametrize("when", [None, BEFORE, LOST])
def test_m14_every_switch_of_the_simulator_loads_and_recovers(
    rig: Rig, switches: Switches, when: str | None
) -> None:
    rig.psam(switches=switches)
    card = rig.card(switches=switches)
    Host(rig, card)
    if when is None:
        assert load(rig) == "LOADED"
    else:
        torn(rig, card, Cut(CREDIT, 1, when))
    loaded = int(when != BEFORE)
    assert state(rig) == ("DONE" if loaded else "VOID")
    check_money(rig, card, loaded)
    check_goes_on(rig, card, loaded)


@pytest.mark.parametrize("when", [BEFORE, AFTER, LOST])
@pytest.mark.parametrize("nth", range(1, PSAM_EXCHANGES + 1))
def test_m14_a_psam_torn_at_any_exchange_loads_nothing_and_stops_nothing(
    rig: Rig, nth: int, when: str
) -> None:
    psam = rig.psam()
    card = rig.card()
    Host(rig, card)
    rig.unit.psam.start()
    name = torn(rig, psam, Cut(None, nth, when), slot="psam")
    assert name in ("LOADED", "PSAM_SILENT", "PSAM_MISSING", "PSAM_REFUSED")
    loaded = int(name == "LOADED")
    check_money(rig, card, loaded)
    check_goes_on(rig, card, loaded)
