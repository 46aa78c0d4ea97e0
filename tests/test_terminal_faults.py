"""The card loop when a part fails: readers, journal, PSAM, each by its cause or its own fault."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

from firmware import terminal
from firmware.authorize import recovery
from firmware.authorize.pin import PinBuffer
from firmware.authorize.service import ServiceCall
from firmware.authorize.visit import begin
from firmware.authorize.welcome import settle_open
from firmware.journal import kinds as rec
from firmware.journal.schema import JournalCorruptError, JournalError, JournalFullError
from firmware.outcome import TransportError, outcome
from simulator.slot import LOST, Cut
from tests.loop_rig import DEBIT, Loop, issue, name_of, open_intent, with_psam


@pytest.fixture
def loop(tmp_path: Path) -> Loop:
    return with_psam(tmp_path)


# -- readers ---------------------------------------------------------------------------------------


def test_a_reader_that_vanishes_is_told_once_and_comes_back(loop: Loop, monkeypatch: Any) -> None:
    def cards() -> int:
        raise TransportError("the reader is gone")

    answers: list[Any] = []
    loop.plan(1, lambda: monkeypatch.setattr(loop.rig.user, "cards_in_reach", cards))
    loop.plan(3, lambda: answers.append(loop.ask()))
    loop.plan(6, monkeypatch.undo)
    assert loop.run(8) == ["READY", "READER_MISSING", "READER_MISSING", "READY"]
    assert name_of(answers[0]) == "READER_MISSING"


def test_a_reader_missing_at_start_never_shows_ready(loop: Loop, monkeypatch: Any) -> None:
    def cards() -> int:
        raise TransportError("no reader")

    monkeypatch.setattr(loop.rig.user, "cards_in_reach", cards)
    assert loop.run(3) == ["READER_MISSING"]


def test_a_reader_lost_at_debit_leaves_the_intent_open_and_says_so(
    loop: Loop, monkeypatch: Any
) -> None:
    card = issue(loop)
    answer = loop.ask()
    exchange = loop.rig.user.exchange

    def unplugged(command: bytes, deadline_s: float, *more: Any) -> bytes:
        if command[1] == DEBIT:

            def cards() -> int:
                raise TransportError("the reader is gone")

            monkeypatch.setattr(loop.rig.user, "cards_in_reach", cards)
            raise TransportError("the reader is gone")
        return exchange(command, deadline_s, *more)

    monkeypatch.setattr(loop.rig.user, "exchange", unplugged)
    loop.plan(0.5, loop.insert(card.label))
    loop.world.holder.type_pin("123456")
    shown = loop.run(20)
    assert name_of(answer) == "PUT_CARD_BACK"
    after_pin = shown[shown.index("ENTER_PIN") + 1 :]
    assert after_pin == ["PUT_CARD_BACK"]


# -- the journal fails -----------------------------------------------------------------------------

FAULTS = [
    (JournalFullError("full"), "DISK_FULL"),
    (JournalCorruptError("broken"), "JOURNAL_DAMAGED"),
    (JournalError("some error"), "UNIT_FAULT"),
]


def failing(loop: Loop, monkeypatch: Any, kinds: tuple[int, ...], error: Exception) -> None:
    append = loop.unit.journal.append

    def fail(kind: int, body: Any, **how: Any) -> Any:
        if kind in kinds:
            raise error
        return append(kind, body, **how)

    monkeypatch.setattr(loop.unit.journal, "append", fail)


@pytest.mark.parametrize(("error", "name"), FAULTS)
def test_a_journal_that_fails_before_intent_takes_nothing(
    loop: Loop, monkeypatch: Any, error: Exception, name: str
) -> None:
    card = issue(loop)
    failing(loop, monkeypatch, (rec.KIND_INTENT,), error)
    answer = loop.ask()
    loop.plan(0.5, loop.insert(card.label))
    loop.world.holder.type_pin("123456")
    shown = loop.run(4)
    assert name_of(answer) == name
    assert shown[shown.index("ENTER_PIN") + 1] == name
    assert card.balance_fen == 100_000


@pytest.mark.parametrize(("error", "name"), FAULTS)
@pytest.mark.parametrize("cut", [None, Cut(DEBIT, 1, LOST)])
def test_a_journal_that_fails_after_intent_never_says_that_nothing_was_taken(
    loop: Loop, monkeypatch: Any, error: Exception, name: str, cut: Cut | None
) -> None:
    """504, as long as the INTENT is open; the card's return settles it once the journal can."""
    card = issue(loop)
    failing(loop, monkeypatch, (rec.KIND_DONE,), error)
    answer = loop.ask()
    if cut is not None:
        loop.rig.user.arm(cut)
    loop.plan(0.5, loop.insert(card.label))
    loop.world.holder.type_pin("123456")
    shown = loop.run(10)
    assert name_of(answer).startswith("PUT_CARD_BACK")
    after_pin = shown[shown.index("ENTER_PIN") + 1 :]
    assert set(after_pin) <= {"CHECKING_LAST_PAYMENT", "PUT_CARD_BACK", "WORKING_LEAVE_CARD"}
    assert shown[-1] == "PUT_CARD_BACK"

    monkeypatch.undo()
    loop.rig.user.remove()
    loop.restart()
    loop.plan(0.5, loop.insert(card.label))
    loop.world.holder.type_pin("123456")
    assert loop.run(4)[-1] == "APPROVED_FOUND_LATER"
    assert loop.rig.result("A-1")["state"] == "DONE"


@pytest.mark.parametrize(("error", "name"), FAULTS)
def test_a_journal_that_fails_in_a_later_recovery_wants_the_card_back(
    loop: Loop, monkeypatch: Any, error: Exception, name: str
) -> None:
    card = issue(loop)
    open_intent(loop, card)
    failing(loop, monkeypatch, (rec.KIND_DONE,), error)
    loop.plan(0.5, loop.insert(card.label))
    loop.world.holder.type_pin("123456")
    assert loop.run(6)[-1] == "PUT_CARD_BACK"
    assert name not in loop.shown


def test_a_journal_that_cannot_even_be_read_after_intent_wants_the_card_back(
    loop: Loop, monkeypatch: Any
) -> None:
    card = issue(loop)
    answer = loop.ask()
    append = loop.unit.journal.append

    def broken(*_: Any, **__: Any) -> Any:
        raise JournalCorruptError("broken")

    def breaking(kind: int, body: Any, **how: Any) -> Any:
        if kind == rec.KIND_DONE:
            monkeypatch.setattr(loop.unit.journal, "by_order", broken)
            broken()
        return append(kind, body, **how)

    monkeypatch.setattr(loop.unit.journal, "append", breaking)
    loop.plan(0.5, loop.insert(card.label))
    loop.world.holder.type_pin("123456")
    loop.run(4)
    assert name_of(answer) == "PUT_CARD_BACK"


def test_after_an_intent_that_stays_open_no_other_is_touched(loop: Loop, monkeypatch: Any) -> None:
    """settle_open: the older payment first, and none while the card is away."""
    results = ["NOT_TAKEN", "PUT_CARD_BACK", "NOT_TAKEN"]
    asked: list[int] = []

    def recover(unit: Any, visit: Any, intent: Any, buffer: Any) -> Any:
        asked.append(intent)
        return outcome(results[intent])

    monkeypatch.setattr(recovery, "recover", recover)
    loop.rig.card()
    loop.unit.psam.start()
    visit = begin(loop.unit, loop.rig.user)
    with PinBuffer() as buffer:
        assert settle_open(loop.unit, visit, [0, 1, 2], buffer).name == "PUT_CARD_BACK"
    assert asked == [0, 1]


# -- nothing ends the loop -------------------------------------------------------------------------


@pytest.mark.parametrize("part", ["cards", "serving", "waiting", "psam"])
def test_faults_of_any_part_never_end_the_loop(
    loop: Loop, monkeypatch: Any, caplog: Any, part: str
) -> None:
    caplog.set_level(logging.CRITICAL)
    card = issue(loop)

    def broken(*_: Any, **__: Any) -> Any:
        raise ZeroDivisionError

    for name in ("collect", "settle", "seal_if_due"):
        monkeypatch.setattr(loop.inbox, name, broken)
    faulty = {
        "cards": (loop.unit, "cards_in_reach", "READER_MISSING"),
        "serving": (terminal, "check_before_card", "UNIT_FAULT"),
        "waiting": (terminal, "welcome", "UNIT_FAULT"),
        "psam": (loop.unit.psam, "select", None),
    }[part]
    owner, name, told = faulty
    real = getattr(owner, name)
    monkeypatch.setattr(owner, name, broken)
    loop.plan(0.3, loop.insert(card.label))
    failed = loop.ask("A-1") if part == "serving" else None
    loop.plan(3, lambda: monkeypatch.setattr(owner, name, real))
    loop.plan(4, loop.remove())
    answers: list[Any] = []
    loop.plan(5, lambda: answers.append(loop.ask("A-2")))
    loop.plan(5.5, loop.insert(card.label))
    loop.world.holder.type_pin("123456")
    shown = loop.run(9)
    assert failed is None or name_of(failed) == told
    assert name_of(answers[0]) == "APPROVED"
    assert told is None or 1 <= shown.count(told) <= 4, "told, and not without end"


def test_a_broken_psam_answers_a_balance_with_its_outcome(tmp_path: Path) -> None:
    loop = Loop(tmp_path)
    answer = loop.jobs.submit(ServiceCall("balance"))
    loop.run(1)
    assert name_of(answer) == "PSAM_MISSING"


def test_status_answers_with_a_broken_journal(loop: Loop, monkeypatch: Any) -> None:
    def broken(*_: Any) -> Any:
        raise JournalCorruptError("broken")

    monkeypatch.setattr(loop.unit.journal, "open_intents", broken)
    assert loop.terminal.status()["journal"]["fault"] == "broken"
