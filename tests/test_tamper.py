"""The switch of the case: once opened, nothing is taken until it is cleared (issue D item 5)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from firmware.authorize.condition import told
from firmware.authorize.tamper import CLEARED, OPENED, SEEN_AT_START, SEEN_RUNNING, Tamper
from firmware.drivers.case_switch import CaseSwitch
from firmware.drivers.gpio import Pins
from firmware.journal import kinds as rec
from firmware.journal.schema import JournalFullError
from firmware.journal.store import Journal
from simulator.slot import AFTER, Cut
from tests.fake_gpio import FakeGpio
from tests.load_rig import Host, credits, load
from tests.loop_rig import DEBIT, Loop, issue, name_of
from tests.operator_rig import Counter
from tests.rig import Rig
from tests.waiting import until


class FakeSwitch:
    def __init__(self, is_open: bool = False):
        self.now, self.since = is_open, False
        self.fault: OSError | None = None

    def is_open(self) -> bool:
        if self.fault is not None:
            raise self.fault
        return self.now

    def was_opened(self) -> bool:
        is_open = self.is_open()
        since, self.since = self.since, False
        return is_open or since

    def open_and_shut(self) -> None:
        self.since = True


class Case:
    """A card loop in a case with a switch."""

    def __init__(self, folder: Path, kind: type[Any] = Loop):
        self.loop = kind(folder)
        if kind is Loop:
            self.loop.rig.psam()
        self.switch = FakeSwitch()
        self.start()

    def start(self) -> None:
        self.loop.unit.tamper = Tamper(self.loop.unit.journal, self.switch)

    def pay(self, *typed: str) -> str:
        """With the card that lies there; a loop that has stopped has cancelled all it waits for."""
        self.loop.unit.is_cancelled = lambda: False
        for pin in typed:
            self.loop.world.holder.type_pin(pin)
        return self.loop.rig.pay(pin=None).name

    def restart(self) -> None:
        self.loop.restart()
        self.start()

    def records(self) -> list[dict[int, Any]]:
        """The bodies of the TAMPER records."""
        self.loop.unit.journal.flush()
        found = self.loop.unit.journal.records(0, 1000)
        return [each.body for each in found if each.kind == rec.KIND_TAMPER]


@pytest.fixture
def case(tmp_path: Path) -> Case:
    return Case(tmp_path)


def test_a_shut_case_pays(case: Case) -> None:
    card = issue(case.loop)
    case.loop.world.insert("user", card.label)
    assert case.loop.rig.pay().name == "APPROVED"
    assert case.records() == []
    assert told(case.loop.unit)["case"] == "shut"


def test_an_opening_stops_payments_and_the_unit_says_why(case: Case) -> None:
    case.loop.plan(1, lambda: setattr(case.switch, "now", True))
    answer: list[Any] = []
    case.loop.plan(4, lambda: answer.append(case.loop.ask()))
    shown = case.loop.run(6)
    assert shown[:2] == ["READY", "TAMPERED"]
    assert set(shown[1:]) == {"TAMPERED"}
    assert name_of(answer[0]) == "TAMPERED"
    assert [(body[rec.KEY_CASE], body[rec.KEY_CASE_SEEN]) for body in case.records()] == [
        (OPENED, SEEN_RUNNING)
    ]
    assert "DECLINED" in case.loop.rig.kinds()
    assert told(case.loop.unit)["case"] == "TAMPERED"


def test_a_case_opened_and_shut_between_two_looks_was_opened(case: Case) -> None:
    case.loop.plan(1, case.switch.open_and_shut)
    assert "TAMPERED" in case.loop.run(4)
    assert len(case.records()) == 1


def test_it_holds_over_a_restart_though_the_case_is_shut(case: Case) -> None:
    case.switch.open_and_shut()
    case.loop.run(2)
    case.restart()
    assert case.loop.run(2) == ["TAMPERED"]
    assert len(case.records()) == 1, "one opening is one record"


def test_a_case_found_open_at_a_start_says_so(tmp_path: Path) -> None:
    case = Case(tmp_path)
    case.switch.now = True
    assert "READY" not in case.loop.run(2)
    assert case.records()[0][rec.KEY_CASE_SEEN] == SEEN_AT_START


def test_no_card_is_spoken_to_meanwhile(case: Case) -> None:
    card = issue(case.loop)
    case.switch.now = True
    case.loop.plan(1, case.loop.insert(card.label))
    case.loop.plan(5, case.loop.remove())
    shown = case.loop.run(8)
    assert case.loop.rig.exchanges == []
    assert "TAMPERED" in shown
    assert "READING_CARD" not in shown


def test_no_pin_is_taken_when_the_case_opens_while_a_card_is_awaited(case: Case) -> None:
    card = issue(case.loop)
    answer = case.loop.ask()
    case.loop.plan(0.5, case.switch.open_and_shut)
    case.loop.plan(1, case.loop.insert(card.label))
    shown = case.loop.run(5)
    assert name_of(answer) == "TAMPERED"
    assert "ENTER_PIN" not in shown
    assert case.loop.rig.exchanges == []


def test_an_opening_while_a_card_is_awaited_is_journaled_and_said_at_once(case: Case) -> None:
    """Nobody brings a card; whoever opened the case may cut the power soon."""
    answer = case.loop.ask()
    case.loop.plan(1, case.switch.open_and_shut)
    shown = case.loop.run(2)
    assert name_of(answer) == "TAMPERED"
    assert shown[-1] == "TAMPERED"
    assert len(case.records()) == 1


def open_while_typing(case: Case) -> None:
    pad = case.loop.unit.pad
    assert pad is not None
    typed = pad.read_pin

    def opened(*how: Any) -> Any:
        case.switch.open_and_shut()
        return typed(*how)

    pad.read_pin = opened  # type: ignore[method-assign]


def test_the_last_look_is_just_before_the_intent(case: Case) -> None:
    """It opens while the holder types: nothing has happened, and nothing does."""
    card = issue(case.loop)
    case.loop.world.insert("user", card.label)
    open_while_typing(case)
    assert case.loop.rig.pay().name == "TAMPERED"
    assert card.balance_fen == 100_000
    assert "INTENT" not in case.loop.rig.kinds()


def test_no_further_pin_is_asked_for_once_it_opened(case: Case) -> None:
    """It opens while the holder mistypes: the pad is not trusted with a second try."""
    card = issue(case.loop)
    case.loop.world.insert("user", card.label)
    open_while_typing(case)
    assert case.loop.rig.pay(pin="999999").name == "TAMPERED"
    assert "PIN_WRONG_RETRY" not in case.loop.shown


def test_a_payment_whose_intent_is_written_is_finished(case: Case) -> None:
    card = issue(case.loop)
    case.loop.world.insert("user", card.label)
    append = case.loop.unit.journal.append

    def opened(kind: int, body: Any, **how: Any) -> Any:
        if kind == rec.KIND_INTENT:
            case.switch.open_and_shut()
        return append(kind, body, **how)

    case.loop.unit.journal.append = opened  # type: ignore[method-assign]
    assert case.loop.rig.pay().name == "APPROVED"
    assert card.balance_fen == 99_000
    assert "DONE" in case.loop.rig.kinds()
    assert case.loop.rig.pay().name == "TAMPERED", "the next one is not begun"


def test_an_open_payment_waits_for_the_clearing(tmp_path: Path) -> None:
    """Its card comes back meanwhile: no PIN is asked for, and nothing is lost."""
    case = Case(tmp_path, Counter)
    card = issue(case.loop)
    case.loop.world.insert("user", card.label)
    case.loop.rig.user.arm(Cut(DEBIT, 1, AFTER))
    assert case.loop.rig.pay().name == "PUT_CARD_BACK"
    case.switch.open_and_shut()
    case.loop.world.insert("user", card.label)
    case.loop.run(2)
    assert len(case.loop.unit.journal.open_intents()) == 1
    case.loop.remove()()
    assert case.loop.call("operator.logon", code="ann", password="test password of Ann") == "SERVED"
    assert case.loop.call("tamper.clear", operator="ann") == "SERVED"
    case.loop.world.insert("user", card.label)
    assert case.pay("123456", "123456") == "APPROVED"
    assert card.balance_fen == 98_000, "the open one was taken, once"
    assert case.loop.unit.journal.open_intents() == []


@pytest.mark.parametrize("service", ["balance", "card.dump", "pin.change"])
def test_no_service_of_a_card_is_admitted(tmp_path: Path, service: str) -> None:
    case = Case(tmp_path, Counter)
    card = issue(case.loop)
    case.loop.world.insert("user", card.label)
    case.switch.now = True
    params = {} if service == "balance" else {"operator": "clerk"}
    assert case.loop.call(service, **params) == "TAMPERED"
    assert case.loop.rig.exchanges == []


def test_a_load_is_not_begun_when_the_case_opens_while_the_host_is_asked(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.psam()
    card = rig.card()
    switch = FakeSwitch()
    rig.unit.tamper = Tamper(rig.unit.journal, switch)
    host = Host(rig, card)

    def opened(*how: Any) -> Any:
        switch.open_and_shut()
        return host(*how)

    rig.unit.ask_host = opened
    assert load(rig) == "TAMPERED"
    assert credits(rig) == 0
    assert "LOAD_INTENT" not in rig.kinds()
    assert card.balance_fen == 100_000


# -- clearing --------------------------------------------------------------------------------------


@pytest.fixture
def counter(tmp_path: Path) -> Case:
    case = Case(tmp_path, Counter)
    case.switch.open_and_shut()
    case.loop.run(2)
    return case


def log_on(case: Case, code: str) -> None:
    password = {"ann": "test password of Ann", "cid": "test, Cid's"}[code]
    assert case.loop.call("operator.logon", code=code, password=password) == "SERVED"


def test_a_technician_clears_it_and_it_is_journaled(counter: Case) -> None:
    log_on(counter, "ann")
    assert counter.loop.call("tamper.clear", operator="ann") == "SERVED"
    opened, cleared = counter.records()
    assert opened[rec.KEY_CASE] == OPENED
    assert (cleared[rec.KEY_CASE], cleared[rec.KEY_OPERATOR]) == (CLEARED, "ann")
    counter.restart()
    card = issue(counter.loop)
    counter.loop.world.insert("user", card.label)
    assert counter.loop.rig.pay().name == "APPROVED"


def test_it_is_cleared_only_while_the_case_is_shut(counter: Case) -> None:
    log_on(counter, "ann")
    counter.switch.now = True
    assert counter.loop.call("tamper.clear", operator="ann") == "TAMPERED"
    assert [body[rec.KEY_CASE] for body in counter.records()] == [OPENED]
    counter.switch.now = False
    assert counter.loop.call("tamper.clear", operator="ann") == "SERVED"


def test_an_opening_after_the_clearing_is_a_new_one(counter: Case) -> None:
    log_on(counter, "ann")
    assert counter.loop.call("tamper.clear", operator="ann") == "SERVED"
    counter.switch.open_and_shut()
    assert counter.loop.call("tamper.clear", operator="ann") == "SERVED"
    states = [body[rec.KEY_CASE] for body in counter.records()]
    assert states == [OPENED, CLEARED, OPENED, CLEARED]


def test_only_with_the_right(counter: Case) -> None:
    assert counter.loop.call("tamper.clear", operator="ann") == "OPERATOR_NOT_LOGGED_ON"
    log_on(counter, "cid")
    assert counter.loop.call("tamper.clear", operator="cid") == "OPERATOR_NOT_ALLOWED"
    assert [body[rec.KEY_CASE] for body in counter.records()] == [OPENED]
    outcomes = [
        each.body[rec.KEY_OUTCOME]
        for each in counter.loop.unit.journal.records(0, 1000)
        if each.kind == rec.KIND_SERVICE and each.body[rec.KEY_DETAIL] == "tamper.clear"
    ]
    assert outcomes == [423, 424], "every attempt is journaled"


# -- what can go wrong -----------------------------------------------------------------------------


def test_a_switch_that_cannot_be_read_stops_payments_until_it_can(case: Case) -> None:
    case.switch.fault = OSError("no gpiochip")
    assert case.loop.run(2) == ["CASE_SWITCH_MISSING"]
    card = issue(case.loop)
    case.loop.world.insert("user", card.label)
    assert case.pay() == "CASE_SWITCH_MISSING"
    case.switch.fault = None
    assert case.pay("123456") == "APPROVED"
    assert case.records() == [], "a broken wire of the chip is no opening"


def test_an_opening_that_the_journal_could_not_take_holds_and_is_journaled_later(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    tamper, journal = case.loop.unit.tamper, case.loop.unit.journal
    assert tamper is not None
    with monkeypatch.context() as full:
        full.setattr(journal, "append", lambda *_: (_ for _ in ()).throw(JournalFullError("full")))
        case.switch.open_and_shut()
        with pytest.raises(JournalFullError):
            tamper.look()
        assert tamper.refused is not None
    assert case.records() == []
    assert tamper.look() is not None
    assert tamper.look() is not None
    assert len(case.records()) == 1


def test_a_damaged_record_of_the_case_is_no_clearing(counter: Case) -> None:
    log_on(counter, "ann")
    counter.loop.call("tamper.clear", operator="ann")
    journal: Journal = counter.loop.unit.journal
    newest = journal.newest_tamper()
    assert newest is not None
    assert newest.body[rec.KEY_CASE] == CLEARED
    journal.write("UPDATE records SET damaged = 1 WHERE number = ?", newest.number)
    assert Tamper(journal, FakeSwitch()).refused is not None


def test_the_newest_record_of_the_case_is_found_by_its_index(counter: Case) -> None:
    plan = counter.loop.unit.journal.rows(
        "EXPLAIN QUERY PLAN SELECT number, raw, damaged FROM records WHERE kind = 19"
        " ORDER BY number DESC LIMIT 1"
    )
    assert "records_tamper" in str(plan)


def test_a_switch_on_a_pin_remembers_what_happened_between_two_looks() -> None:
    """High is open: the wire to ground was parted, or cut."""
    library = FakeGpio()
    library.levels[23] = 0
    pins = Pins(lambda: library)
    switch = CaseSwitch(pins, 23)
    assert not switch.was_opened()
    library.drive(23, 1)
    until(switch.is_open)
    library.drive(23, 0)
    until(lambda: not switch.is_open())
    assert switch.was_opened()
    assert not switch.was_opened()
    pins.close()
