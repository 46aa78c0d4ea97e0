"""The card loop (issue, "the daemon" and "Bad input"): what it shows, serves, survives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from firmware import terminal
from firmware.authorize.jobs import MAX_WAITING
from firmware.authorize.service import ServiceCall
from firmware.authorize.stoplist import StopList
from firmware.journal import kinds as rec
from firmware.outcome import outcome
from simulator.slot import AFTER, BEFORE, Cut
from tests.loop_rig import DEBIT, Loop, issue, name_of, open_intent, with_psam


@pytest.fixture
def loop(tmp_path: Path) -> Loop:
    return with_psam(tmp_path)


# -- one payment as the people at the counter see it -----------------------------------------------


def test_a_payment_from_ready_to_ready(loop: Loop) -> None:
    card = issue(loop)
    loop.plan(0.5, loop.ask)
    loop.plan(1.0, loop.insert(card.label))
    loop.plan(1.0, lambda: loop.world.holder.type_pin("123456"))
    loop.plan(4.0, loop.remove())
    assert loop.run(8) == [
        "READY", "INSERT_CARD", "READING_CARD", "ENTER_PIN", "WORKING_LEAVE_CARD", "APPROVED",
        "READY",
    ]  # fmt: skip
    assert card.balance_fen == 99_000


def test_a_card_that_is_not_taken_is_asked_for_once(loop: Loop) -> None:
    """removal_s is 3 in the rig."""
    card = issue(loop)
    loop.ask()
    loop.plan(0.5, loop.insert(card.label))
    loop.world.holder.type_pin("123456")
    loop.plan(8, loop.remove())
    assert loop.run(10)[-3:] == ["APPROVED", "TAKE_CARD", "READY"]


def test_a_result_stays_readable_though_the_card_is_whisked_away(loop: Loop) -> None:
    card = issue(loop, contactless=True)
    loop.ask()
    loop.plan(0.5, loop.insert(card.label, "contactless"))
    loop.world.holder.type_pin("123456")
    loop.plan(0.7, loop.remove("contactless"))
    loop.plan(0.7 + terminal.RESULT_S - 0.3, lambda: loop.fields.append(("still", {})))
    assert loop.run(5)[-3:] == ["APPROVED", "still", "READY"]


def test_m13_a_card_without_a_job_is_read_and_its_holder_named(loop: Loop) -> None:
    card = issue(loop, name="张三")
    loop.plan(0.5, loop.insert(card.label))
    loop.plan(3, loop.remove())
    assert loop.run(5) == ["READY", "CARD_READ", "READY"]
    assert ("CARD_READ", {"name": "张三"}) in loop.fields
    assert "张三" not in str([r.body for r in loop.unit.journal.records(0, 100)])


def test_a_card_that_waits_is_served_when_the_job_comes(loop: Loop) -> None:
    card = issue(loop)
    loop.plan(0.5, loop.insert(card.label))
    loop.plan(2, loop.ask)
    loop.world.holder.type_pin("123456")
    shown = loop.run(4)
    assert "INSERT_CARD" not in shown
    assert shown[-1] == "APPROVED"


def test_no_card_after_card_wait_s(loop: Loop) -> None:
    left: list[float] = []
    loop.unit.typed = lambda stars, left_s: left.append(left_s)
    answer = loop.ask()
    assert loop.run(5) == ["READY", "INSERT_CARD", "NO_CARD", "READY"]
    assert name_of(answer) == "NO_CARD"
    assert left[0] == loop.unit.board.timing.card_wait_s, "the time left is counted down"
    assert left == sorted(left, reverse=True)
    assert 0 < left[-1] < 1
    assert loop.rig.kinds()[-1] == "DECLINED"


# -- two cards -------------------------------------------------------------------------------------


def test_two_cards_are_refused_with_and_without_a_job(loop: Loop) -> None:
    one, two = issue(loop, 1, contactless=True), issue(loop, 2)
    loop.plan(0.5, loop.insert(one.label, "contactless"))
    loop.plan(0.5, loop.insert(two.label))
    answer: list[Any] = []
    loop.plan(2, lambda: answer.append(loop.ask()))
    loop.plan(5, loop.remove("contactless"))
    loop.plan(8, loop.remove())
    assert loop.run(11) == ["READY", "TWO_CARDS", "TWO_CARDS", "CARD_READ", "READY"]
    assert name_of(answer[0]) == "TWO_CARDS"
    assert one.balance_fen == two.balance_fen == 100_000


def test_two_cards_at_start_are_told(loop: Loop) -> None:
    loop.rig.card(1, contactless=True, slot="contactless")
    loop.rig.card(2)
    assert loop.run(1) == ["TWO_CARDS"]


# -- a card found at start -------------------------------------------------------------------------


def test_a_card_found_at_start_serves_nobody_and_must_leave(loop: Loop) -> None:
    card = loop.rig.card()
    answer = loop.ask()
    loop.plan(0.5, loop.remove())
    loop.plan(1.0, loop.insert(card.label))
    loop.world.holder.type_pin("123456")
    shown = loop.run(4)
    assert shown[:4] == ["CARD_READ", "REMOVE_CARD", "REMOVE_CARD", "INSERT_CARD"]
    assert name_of(answer) == "APPROVED"


def test_a_card_found_at_start_that_stays_is_the_answer(loop: Loop) -> None:
    card = loop.rig.card()
    answer = loop.ask()
    loop.run(4)
    assert name_of(answer) == "REMOVE_CARD"
    assert card.balance_fen == 100_000


@pytest.mark.parametrize(
    ("when", "name", "kind"),
    [(AFTER, "APPROVED_FOUND_LATER", "DONE"), (BEFORE, "NOT_TAKEN", "VOID")],
)
def test_a_card_found_at_start_closes_its_open_intent(
    loop: Loop, when: str, name: str, kind: str
) -> None:
    """... even when a job is waiting already; the result stays on the screen."""
    card = issue(loop)
    open_intent(loop, card, when)
    loop.world.insert("user", card.label)
    loop.ask("B-1")
    loop.world.holder.type_pin("123456")
    shown = loop.run(3)
    assert shown[:4] == ["CHECKING_LAST_PAYMENT", "RECOVERY_PIN", name, "REMOVE_CARD"]
    assert loop.rig.result("ORDER-1")["state"] == kind


def test_a_card_stopped_since_closes_its_open_intent_too(loop: Loop) -> None:
    card = issue(loop)
    open_intent(loop, card)
    loop.unit.stop_list = StopList(1, {1: [[card.card_id, card.card_number]]})
    loop.plan(0.5, loop.insert(card.label))
    loop.world.holder.type_pin("123456")
    assert loop.run(4)[-1] == "APPROVED_FOUND_LATER"


def test_a_card_pulled_in_its_recovery_is_wanted_back(loop: Loop) -> None:
    """Never "the card left, nothing was taken" after an INTENT; and it stays on the screen."""
    card = issue(loop)
    open_intent(loop, card)
    loop.plan(0.5, loop.insert(card.label))
    loop.plan(0.4, lambda: loop.rig.user.arm(Cut(None, 8, BEFORE)))
    loop.world.holder.type_pin("123456")
    shown = loop.run(30)
    assert shown[-1] == "PUT_CARD_BACK"
    assert not {"CARD_REMOVED", "CARD_SILENT"} & set(shown)
    assert [each.number for each in loop.unit.journal.open_intents()] == [
        loop.unit.journal.by_order("ORDER-1")[0].number
    ]


def test_balance_settles_an_open_intent_first(loop: Loop) -> None:
    card = issue(loop)
    open_intent(loop, card)
    answer = loop.jobs.submit(ServiceCall("balance"))
    loop.plan(0.5, loop.insert(card.label))
    loop.world.holder.type_pin("123456")
    loop.run(4)
    result, told = answer.result(0)
    assert result.name == "SERVED"
    assert told["account_fen"] == 99_000
    assert loop.rig.result("ORDER-1")["state"] == "DONE"


# -- cancel ----------------------------------------------------------------------------------------


def test_cancel_while_waiting_for_the_card(loop: Loop) -> None:
    answer = loop.ask()
    loop.plan(0.5, loop.jobs.cancel)
    assert loop.run(5) == ["READY", "INSERT_CARD", "CANCELLED", "READY"]
    assert name_of(answer) == "CANCELLED"


def test_cancel_while_at_the_pad_takes_nothing(loop: Loop) -> None:
    """The pad gives up as soon as `cancelled()` is true."""
    card = loop.rig.card()
    loop.rig.user.remove()
    answer = loop.ask()
    asked = loop.world.holder.digits

    def cancel_first(*how: Any) -> str | None:
        loop.jobs.cancel()
        return asked(*how)

    loop.world.holder.digits = cancel_first
    loop.plan(0.3, loop.insert(card.label))
    loop.run(3)
    assert name_of(answer) in ("PIN_CANCELLED", "CANCELLED")
    assert card.balance_fen == 100_000
    assert "INTENT" not in loop.rig.kinds()


def test_cancel_before_its_turn_counts_and_never_for_the_next(loop: Loop) -> None:
    card = issue(loop)
    first, second = loop.ask("A-1"), loop.ask("A-2")
    assert loop.jobs.cancel()
    loop.plan(0.5, loop.insert(card.label))
    loop.world.holder.type_pin("123456")
    loop.run(4)
    assert (name_of(first), name_of(second)) == ("CANCELLED", "APPROVED")
    assert not loop.jobs.cancel(), "nothing is left to cancel"


def test_cancel_after_intent_cancels_no_payment(loop: Loop, monkeypatch: Any) -> None:
    card = issue(loop)
    answer = loop.ask()
    append = loop.unit.journal.append

    def cancelling(kind: int, body: Any, **how: Any) -> Any:
        done = append(kind, body, **how)
        if kind == rec.KIND_INTENT:
            assert loop.jobs.cancel()
        return done

    monkeypatch.setattr(loop.unit.journal, "append", cancelling)
    loop.plan(0.5, loop.insert(card.label))
    loop.world.holder.type_pin("123456")
    loop.run(4)
    assert name_of(answer) == "APPROVED"
    assert card.balance_fen == 99_000


# -- the queue -------------------------------------------------------------------------------------


def test_a_full_queue_takes_no_more_and_those_left_are_answered(loop: Loop) -> None:
    answers = [loop.ask(f"A-{n}") for n in range(MAX_WAITING)]
    assert loop.jobs.submit(ServiceCall("balance")) is None
    loop.run(0.5)
    assert {name_of(each) for each in answers} == {"CANCELLED"}
    assert loop.jobs.submit(ServiceCall("balance")) is None, "a stopped terminal takes nothing"


def test_an_order_that_was_queued_twice_is_served_once(loop: Loop) -> None:
    card = issue(loop)
    first, second = loop.ask(), loop.ask()
    loop.plan(0.5, loop.insert(card.label))
    loop.world.holder.type_pin("123456")
    loop.run(6)
    assert (name_of(first), name_of(second)) == ("APPROVED", "APPROVED")
    assert card.balance_fen == 99_000


def test_chores_are_done_between_jobs_too(loop: Loop, monkeypatch: Any) -> None:
    done: list[float] = []
    monkeypatch.setattr(loop.inbox, "collect", lambda: done.append(loop.hands.now_s))
    for n in range(MAX_WAITING):
        loop.ask(f"A-{n}")
    loop.run(2.2 * MAX_WAITING)
    assert len(done) >= MAX_WAITING


def test_a_lost_edge_of_the_cancel_key_is_found_while_a_card_is_awaited(loop: Loop) -> None:
    """The chores rest meanwhile; whatever looks at keys does not."""
    pressed = loop.hands.now_s + 0.5
    loop.looks.append(lambda: loop.hands.now_s >= pressed and loop.jobs.cancel_at_unit())
    answer = loop.ask()
    loop.run(20)
    assert name_of(answer) == "CANCELLED"


# -- what stands on the screen meanwhile -----------------------------------------------------------


def test_uncertain_is_written_in_time_while_other_cards_are_served(tmp_path: Path) -> None:
    loop = with_psam(tmp_path, **{"min_free_mb = 1": "min_free_mb = 1\nuncertain_after_h = 0.01"})
    away, other = issue(loop, 1), issue(loop, 2)
    open_intent(loop, away)
    answers: list[Any] = []
    loop.plan(1, lambda: answers.append(loop.ask("B-1")))
    loop.plan(1.5, loop.insert(other.label))
    loop.plan(4, loop.remove())
    loop.world.holder.type_pin("123456")
    loop.plan(20, lambda: answers.append(loop.rig.result("ORDER-1")["state"]))
    shown = loop.run(40)
    assert name_of(answers[0]) == "APPROVED"
    assert answers[1] == "OPEN", "36 s are not over yet"
    assert loop.rig.result("ORDER-1")["state"] == "UNCERTAIN"
    assert shown[-1] == "PAYMENT_UNCERTAIN"


@pytest.mark.parametrize(
    ("edit", "name"),
    [
        ({"rtc = true": "rtc = false"}, "CLOCK_NOT_TRUSTED"),
        ({'terminal_number = "510100000001"': 'terminal_number = "510100000009"'}, "PSAM_SWAPPED"),
        ({"[psam]\n": "[psam]\nwarn_days = 3650\n"}, "PSAM_WARNING"),
    ],
)
def test_what_stands_in_the_way_is_shown_instead_of_ready(
    tmp_path: Path, edit: dict[str, str], name: str
) -> None:
    assert with_psam(tmp_path, **edit).run(3) == [name]


def test_damage_found_while_running_is_shown_and_old_damage_is_not(loop: Loop) -> None:
    for n in range(3):
        loop.unit.journal.append(rec.KIND_SERVICE, {2: "t", 50: str(n), 36: 9})
    loop.unit.journal._writer.write("UPDATE records SET raw = zeroblob(20) WHERE number = 2")
    loop.plan(1, lambda: None)
    assert loop.run(4)[-1] == "JOURNAL_DAMAGED"
    loop.restart()
    assert loop.run(4) == ["READY"]


def test_stop_ends_the_wait_for_a_card_and_the_wait_for_its_return(loop: Loop) -> None:
    """SIGTERM: between two commands, at once, never in the middle of a payment."""
    card = issue(loop)
    answer = loop.ask()
    loop.run(0.5)
    assert name_of(answer) == "CANCELLED"
    loop.restart()
    answer = loop.ask("B-1")
    loop.rig.user.arm(Cut(DEBIT, 1, AFTER))
    loop.plan(0.5, loop.insert(card.label))
    loop.world.holder.type_pin("123456")
    started = loop.hands.now_s
    loop.run(1.5)
    assert name_of(answer) == "PUT_CARD_BACK"
    assert loop.hands.now_s - started < 2.5, "removal_s is 3"


def test_every_outcome_a_person_sees_has_a_number(loop: Loop) -> None:
    """Words of progress have none; all others are outcomes."""
    progress = {
        "STARTING", "READY", "INSERT_CARD", "CARD_READ", "STOPPED", "READING_CARD", "ENTER_PIN",
        "WORKING_LEAVE_CARD",
    }  # fmt: skip
    card = issue(loop)
    loop.ask()
    loop.plan(0.5, loop.insert(card.label))
    loop.world.holder.type_pin("123456")
    loop.plan(3, loop.remove())
    loop.run(6)
    for name in set(loop.shown) - progress:
        assert outcome(name).number > 0
