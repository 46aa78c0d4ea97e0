"""What a host may ask: payments by order number, the balance, records, the unit's state."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest

from firmware.host import desk as desks
from firmware.host import rpc
from firmware.host.rpc import RpcError
from firmware.journal import kinds as rec
from firmware.journal.schema import JournalDamagedError, JournalFullError
from simulator.slot import AFTER, Cut
from tests.loop_rig import DEBIT, Loop, issue, with_psam
from tests.waiting import SOON_S

AMOUNTS = {"account_fen": 1000, "self_fen": 200, "pooled_fen": 300}


@pytest.fixture
def loop(tmp_path: Path) -> Loop:
    return with_psam(tmp_path)


class Hosts:
    """Each question in a thread of its own, as the socket does it; the loop runs in the test's."""

    def __init__(self, loop: Loop):
        self._loop = loop
        self._threads: list[threading.Thread] = []
        self.answers: dict[str, Any] = {}

    def ask(self, name: str, method: str, **params: Any) -> None:
        """Returns when the question waits for the card loop, or has its answer."""
        waits = threading.Event()
        loop = self._loop

        def call() -> None:
            try:
                self.answers[name] = loop.desk.methods()[method](**params)
            except RpcError as error:
                self.answers[name] = error
            waits.set()

        wait_real = loop.desk._wait

        def wait(answer: Any) -> Any:
            waits.set()
            return wait_real(answer)

        loop.desk._wait = wait  # type: ignore[method-assign]
        thread = threading.Thread(target=call)
        thread.start()
        assert waits.wait(SOON_S)
        loop.desk._wait = wait_real  # type: ignore[method-assign]
        self._threads.append(thread)

    def pay(self, name: str, order_no: str = "A-1", **amounts: int) -> None:
        self.ask(
            name, "purchase", order_no=order_no, amounts={**AMOUNTS, **amounts}, operator="clerk"
        )

    def finish(self) -> dict[str, Any]:
        for thread in self._threads:
            thread.join(SOON_S)
            assert not thread.is_alive()
        return self.answers


@pytest.fixture
def hosts(loop: Loop) -> Hosts:
    return Hosts(loop)


def insert_and_pay(loop: Loop, card: Any, at_s: float = 0.5) -> None:
    loop.plan(at_s, loop.insert(card.label))
    loop.world.holder.type_pin("123456")


def call(loop: Loop, method: str, **params: Any) -> Any:
    return getattr(loop.desk, method)(**params)


def pay(loop: Loop, order_no: str = "A-1", **amounts: int) -> Any:
    """An order that the journal can answer: no card loop runs."""
    return call(
        loop, "purchase", order_no=order_no, amounts={**AMOUNTS, **amounts}, operator="clerk"
    )


# -- purchase -------------------------------------------------------------------------------------


def test_a_purchase_answers_from_the_journal_with_texts(loop: Loop, hosts: Hosts) -> None:
    card = issue(loop)
    hosts.pay("one")
    insert_and_pay(loop, card)
    loop.run(4)
    told = hosts.finish()["one"]
    assert (told["state"], told["outcome"]["name"], told["outcome"]["number"]) == (
        "DONE", "APPROVED", 1,
    )  # fmt: skip
    assert "15.00" in told["outcome"]["zh"]
    assert "15.00" in told["outcome"]["en"]
    assert told["tac"] is not None
    assert "repeated" not in told
    json.dumps(told)


def test_a_repeated_order_returns_the_first_result_and_never_debits_again(
    loop: Loop, hosts: Hosts
) -> None:
    card = issue(loop)
    hosts.pay("one")
    insert_and_pay(loop, card)
    loop.run(4)
    first = hosts.finish()["one"]
    for _ in range(2):
        loop.unit.journal.flush()
        again = pay(loop)
        assert again.pop("repeated")
        assert {**again, "records": 0} == {**first, "records": 0}
        loop.restart()
    assert card.balance_fen == 99_000


def test_a_repeated_order_that_is_running_waits_for_the_first_result(
    loop: Loop, hosts: Hosts
) -> None:
    """Also between INTENT and DONE, when the journal alone would say "put the card back"."""
    card = issue(loop)
    append = loop.unit.journal.append

    def asking(kind: int, body: Any, **how: Any) -> Any:
        if kind == rec.KIND_DONE:
            hosts.pay("in the middle")
        return append(kind, body, **how)

    loop.unit.journal.append = asking  # type: ignore[method-assign]
    hosts.pay("first")
    hosts.pay("at once")
    insert_and_pay(loop, card)
    loop.run(6)
    told = hosts.finish()
    assert {each["state"] for each in told.values()} == {"DONE"}
    assert {name for name in told if told[name].get("repeated")} == {"at once", "in the middle"}
    assert card.balance_fen == 99_000


@pytest.mark.parametrize("when", ["afterwards", "after a restart", "running"])
def test_an_order_with_other_amounts_is_a_mismatch(loop: Loop, hosts: Hosts, when: str) -> None:
    card = issue(loop)
    hosts.pay("first")
    if when == "running":
        hosts.pay("other", account_fen=2000)
    insert_and_pay(loop, card)
    loop.run(6)
    if when == "after a restart":
        loop.restart()
    if when == "running":
        error = hosts.finish()["other"]
    else:
        with pytest.raises(RpcError) as caught:
            pay(loop, account_fen=2000)
        error = caught.value
    hosts.finish()
    assert (error.code, error.data["outcome"]["number"]) == (desks.ORDER_MISMATCH, 410)
    assert card.balance_fen == 99_000


def test_an_open_order_says_put_the_card_back_until_it_is_settled(loop: Loop, hosts: Hosts) -> None:
    card = issue(loop)
    hosts.pay("first")
    loop.rig.user.arm(Cut(DEBIT, 1, AFTER))
    insert_and_pay(loop, card)
    loop.run(20)
    assert hosts.finish()["first"]["outcome"]["number"] == 504
    loop.restart()
    assert pay(loop)["state"] == "OPEN"
    insert_and_pay(loop, card)
    loop.run(4)
    assert (pay(loop)["state"], pay(loop)["outcome"]["name"]) == ("DONE", "APPROVED_FOUND_LATER")


def test_a_ruled_order_keeps_outcome_and_tac(loop: Loop) -> None:
    """RULED repeats neither; the answer must not fall back to "put the card back"."""
    loop.rig.card()
    loop.world.misbehave("card-1", "wrong_mac2")
    loop.rig.user.remove()
    loop.world.insert("user", "card-1")
    assert loop.rig.pay(order_no="A-1").name == "PAYMENT_SUSPECT"
    before = pay(loop)
    intent = loop.unit.journal.by_order("A-1")[0].number
    loop.unit.journal.append(rec.KIND_RULED, {30: intent, 2: "office", 50: "it counts"})
    ruled = pay(loop)
    assert ruled["state"] == "RULED"
    assert ruled["outcome"] == before["outcome"]
    assert ruled["tac"] == before["tac"] is not None


def test_a_declined_order_stays_declined(loop: Loop, hosts: Hosts) -> None:
    hosts.pay("one", account_fen=100_000)
    loop.run(1)
    told = hosts.finish()["one"]
    assert (told["state"], told["outcome"]["name"]) == ("DECLINED", "OVER_TRANSACTION_LIMIT")
    assert pay(loop, account_fen=100_000)["repeated"]


def test_what_the_journal_could_not_take_is_refused_with_its_outcome(
    loop: Loop, hosts: Hosts, monkeypatch: Any
) -> None:
    def full(*_: Any, **__: Any) -> Any:
        raise JournalFullError("full")

    hosts.pay("one")
    monkeypatch.setattr(loop.unit.journal, "append", full)
    card = issue(loop)
    insert_and_pay(loop, card)
    loop.run(4)
    monkeypatch.undo()
    told = hosts.finish()["one"]
    assert (told["state"], told["outcome"]["number"]) == ("REFUSED", 602)
    assert card.balance_fen == 100_000


def test_an_order_whose_record_is_damaged_is_not_taken_for_new(
    loop: Loop, monkeypatch: Any
) -> None:
    def damaged(order_no: str) -> Any:
        raise JournalDamagedError(3, "a flipped byte")

    monkeypatch.setattr(loop.unit.journal, "by_order", damaged)
    with pytest.raises(RpcError) as caught:
        pay(loop)
    assert caught.value.data["outcome"]["number"] == 601


def test_a_full_queue_is_busy(loop: Loop, hosts: Hosts) -> None:
    for n in range(4):
        hosts.pay(f"host {n}", f"A-{n}")
    with pytest.raises(RpcError) as caught:
        pay(loop, "A-9")
    assert (caught.value.code, caught.value.data["outcome"]["number"]) == (desks.BUSY, 409)
    loop.run(0.5)
    assert {each["outcome"]["name"] for each in hosts.finish().values()} == {"CANCELLED"}


def test_a_host_does_not_wait_for_ever(loop: Loop) -> None:
    loop.desk._patience_s = 0.01
    with pytest.raises(RpcError) as caught:
        pay(loop)
    assert caught.value.code == desks.STILL_SERVING


BAD = [
    {"order_no": 5},
    {"order_no": ""},
    {"order_no": "x" * 65},
    {"order_no": "a\nb"},
    {"operator": None},
    {"operator": ""},
    {"amounts": []},
    {"amounts": {}},
    {"amounts": {"account": 5}},
    {"amounts": {"account_fen": -1}},
    {"amounts": {"account_fen": 1.5}},
    {"amounts": {"account_fen": True}},
    {"amounts": {"account_fen": "5"}},
    {"amounts": {"account_fen": None}},
    {"amounts": {"account_fen": 1 << 32}},
]


@pytest.mark.parametrize("wrong", BAD, ids=repr)
def test_bad_params_are_refused_before_anything_happens(loop: Loop, wrong: dict[str, Any]) -> None:
    with pytest.raises(RpcError) as caught:
        loop.desk.purchase(**{"order_no": "A-1", "amounts": AMOUNTS, "operator": "c", **wrong})
    assert caught.value.code == rpc.INVALID_PARAMS
    assert len(loop.jobs) == 0
    assert loop.rig.kinds() == []


# -- balance, records, cancel, status --------------------------------------------------------------


def test_m14_balance_and_past_settlements(loop: Loop, hosts: Hosts) -> None:
    card = issue(loop)
    hosts.pay("paid")
    hosts.ask("balance", "balance")
    insert_and_pay(loop, card)
    loop.world.holder.type_pin("123456")
    loop.run(6)
    told = hosts.finish()["balance"]
    assert told["outcome"]["name"] == "SERVED"
    assert (told["account_fen"], told["yearly_self_fen"]) == (99_000, 200)
    assert [each["account_fen"] for each in told["settlements"]] == [1000]
    json.dumps(told)


def test_m1_no_answer_and_no_record_holds_the_pin(loop: Loop, hosts: Hosts) -> None:
    card = issue(loop, pin="739218")
    hosts.pay("paid")
    hosts.ask("balance", "balance")
    loop.plan(0.5, loop.insert(card.label))
    for _ in range(2):
        loop.world.holder.type_pin("739218")
    loop.run(6)
    told = json.dumps([hosts.finish(), call(loop, "records"), call(loop, "status")])
    assert "APPROVED" in told
    assert "739218" not in told


def test_records_are_told_in_pages(loop: Loop) -> None:
    for n in range(5):
        loop.unit.journal.append(rec.KIND_SERVICE, {2: "t", 50: f"note {n}", 36: 9})
    first = call(loop, "records", limit=2)["records"]
    rest = call(loop, "records", after=first[-1]["number"])["records"]
    assert [each["number"] for each in first + rest] == [1, 2, 3, 4, 5]
    assert first[0]["body"] == {"operator": "t", "detail": "note 0", "outcome": 9}
    assert len(call(loop, "records", limit=10**9)["records"]) == 5


@pytest.mark.parametrize(
    "wrong", [{"after": -1}, {"after": 1 << 63}, {"after": "1"}, {"limit": True}, {"limit": 1.5}]
)
def test_records_refuses_what_is_no_number(loop: Loop, wrong: dict[str, Any]) -> None:
    with pytest.raises(RpcError) as caught:
        call(loop, "records", **wrong)
    assert caught.value.code == rpc.INVALID_PARAMS


def test_cancel_says_whether_there_was_anything(loop: Loop, hosts: Hosts) -> None:
    assert call(loop, "cancel") == {"cancelled": False}
    hosts.pay("one")
    loop.plan(0.5, lambda: hosts.answers.update(cancel=call(loop, "cancel")))
    loop.run(4)
    told = hosts.finish()
    assert told["cancel"] == {"cancelled": True}
    assert told["one"]["outcome"]["name"] == "CANCELLED"


def test_status_tells_what_was_shown_since(loop: Loop) -> None:
    loop.run(1)
    told = call(loop, "status")
    assert [each["id"] for each in told["shown"]] == ["STARTING", "READY", "STOPPED"]
    last = told["shown"][1]["count"]
    assert [each["id"] for each in call(loop, "status", shown_after=last)["shown"]] == ["STOPPED"]
    assert set(told["display"]) == {
        "count", "id", "number", "zh", "en", "zh_next", "en_next", "zh_panel", "en_panel", "sign",
        "amount", "language",
    }, "not how many digits of a PIN were typed"  # fmt: skip
    assert told["unit"] == "TEST-UNIT"
    assert told["psam"]["up"]
    assert told["clock"]["trust"] == "rtc"
    assert told["clock"]["time"].startswith("2026-11-22T12:")
    with pytest.raises(RpcError):
        call(loop, "status", shown_after="x")


def test_status_answers_while_a_card_is_being_served(loop: Loop, hosts: Hosts) -> None:
    """From another thread, the card held in the middle of DEBIT."""
    card = issue(loop)
    hosts.pay("one")
    insert_and_pay(loop, card)
    loop.rig.user.hold(DEBIT)
    seen: list[Any] = []

    def watch() -> None:
        if loop.rig.user.wait_held(10):
            seen.append(call(loop, "status"))
            loop.rig.user.release()

    watcher = threading.Thread(target=watch)
    watcher.start()
    loop.run(4)
    watcher.join(SOON_S)
    assert hosts.finish()["one"]["state"] == "DONE"
    assert (seen[0]["state"], seen[0]["card_present"]) == ("serving", True)
    assert len(seen[0]["journal"]["open_intents"]) == 1
