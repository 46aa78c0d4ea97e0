"""What leaves the unit (docs/records.md "Retention"): only what the office has and nobody needs."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest
from journal_maker import (
    START_MS,
    TEST_DEVICE_KEY,
    TEST_OFFICE_KEY,
    clock,
    done_body,
    intent_body,
    open_journal,
    purchase,
    receipt_for,
    start_body,
    totals_body,
    uncertain_body,
    void_body,
)

from firmware.clock import Clock
from firmware.journal import batch, kinds, prune
from firmware.journal.kinds import (
    KIND_APPLIED,
    KIND_DAMAGE,
    KIND_DAY_KEY,
    KIND_DECLINED,
    KIND_DONE,
    KIND_INTENT,
    KIND_KEY_CHANGE,
    KIND_LOAD_DONE,
    KIND_LOAD_INTENT,
    KIND_LOAD_VOID,
    KIND_REPRINT,
    KIND_RULED,
    KIND_START,
    KIND_SUSPECT,
    KIND_TAMPER,
    KIND_TOTALS,
    KIND_UNCERTAIN,
    KIND_VOID,
)
from firmware.journal.lifecycle import LifecycleError
from firmware.journal.receipt import accept_receipt
from firmware.journal.room import FLOOR, Floor
from firmware.journal.schema import OrderSettledError
from firmware.journal.store import Journal

DAY_MS = 86_400_000
KEEP = 20
LATER = START_MS + 91 * DAY_MS
TAMPER = {kinds.KEY_DETAIL: "x"}
SUSPECT_BODY = {kinds.KEY_MAC2_STATE: 2, kinds.KEY_TAC_STATE: 2, kinds.KEY_KNOWN_BY: 1}


def load_body(order_no: str) -> dict[int, Any]:
    body = {key: value for key, value in intent_body(order_no).items() if key < 18 and key != 4}
    body |= {11: 1, kinds.KEY_TYPE: 0x31, kinds.KEY_MAC2: bytes(4)}
    del body[11]
    return body | {kinds.KEY_LOAD_SERIAL: 1, kinds.KEY_LOAD_FEN: 100}


class Kept:
    """What one record or payment leaves behind; `expected`: the numbers that stay."""

    def __init__(self, journal: Journal):
        self.journal = journal
        self.expected: list[int] = []

    def add(self, kind: int, body: dict[int, Any], stays: bool) -> int:
        made = self.journal.append(kind, body)
        if stays:
            self.expected.append(made.number)
        return made.number

    def payment(self, order_no: str, *outcomes: tuple[int, dict], stays: bool, **more: Any) -> int:
        body = intent_body(order_no) | more.get("body", {})
        intent = self.add(KIND_INTENT, body, stays)
        for kind, extra in outcomes:
            self.add(kind, {kinds.KEY_INTENT: intent, **extra}, stays)
        return intent


def outcome_fields(body: dict[int, Any]) -> dict[int, Any]:
    return {key: value for key, value in body.items() if key != kinds.KEY_INTENT}


DONE = (KIND_DONE, outcome_fields(done_body(0)))
VOID = (KIND_VOID, outcome_fields(void_body(0)))
UNCERTAIN = (KIND_UNCERTAIN, outcome_fields(uncertain_body(0)))
TOTALS = (KIND_TOTALS, outcome_fields(totals_body(0)))
SUSPECT = (KIND_SUSPECT, {**SUSPECT_BODY, kinds.KEY_OUTCOME: 503})
RULED = (KIND_RULED, {kinds.KEY_OPERATOR: "x", kinds.KEY_DETAIL: "taken"})
EF06 = {kinds.KEY_EF06: [1, 0, 0]}


def old_journal(folder: Path, keep_newest: int = KEEP) -> tuple[Journal, Kept]:
    journal = open_journal(folder)
    journal._pruner = prune.Pruner(journal, 90, keep_newest)
    return journal, Kept(journal)


def send(journal: Journal, size: int = 1000) -> None:
    """All there is, sealed and receipted."""
    while sealed := batch.seal(journal, size):
        batch.put_out(journal)
        accept_receipt(journal, receipt_for(sealed), TEST_OFFICE_KEY.public_key)


def pad(journal: Journal, count: int = KEEP) -> None:
    for _ in range(count):
        journal.append(KIND_TAMPER, TAMPER, ride=True)
    journal.flush()


def set_clock(journal: Journal, start_ms: int = LATER, **how: Any) -> None:
    new = clock(start_ms) if not how else Clock(trust_h=24, wall=lambda: start_ms / 1000, **how)
    journal.clock = journal._writer._clock = new


def whole_round(journal: Journal, limit: int = 7) -> int:
    count = 0
    while step := journal.prune(limit):
        count += step
    return count


def left(journal: Journal) -> list[int]:
    return [number for (number,) in journal.rows("SELECT number FROM records ORDER BY number")]


def restart(journal: Journal, folder: Path) -> Journal:
    journal.close()
    again = open_journal(folder, clock=clock(LATER))
    again._pruner = prune.Pruner(again, 90, KEEP)
    return again


# --- the table of docs/records.md, row by row ---


def everything(kept: Kept) -> None:
    """One of each thing that an old journal may hold."""
    kept.add(KIND_START, start_body(TEST_DEVICE_KEY.public_key), stays=False)
    kept.payment("done", DONE, TOTALS, stays=False)
    kept.payment("done-late", UNCERTAIN, DONE, TOTALS, stays=False)
    kept.payment("void", VOID, stays=False)
    kept.payment("ruled", SUSPECT, RULED, stays=False)
    kept.payment("no-ef06", DONE, stays=False)
    kept.payment("open", stays=True)
    kept.payment("uncertain", UNCERTAIN, stays=True)
    kept.payment("suspect", SUSPECT, stays=True)
    kept.payment("totals-due", DONE, stays=True, body=EF06)
    kept.payment("totals-written", DONE, TOTALS, stays=False, body=EF06)
    printed = kept.payment("open-printed", stays=True)
    kept.add(KIND_REPRINT, {kinds.KEY_INTENT: printed, kinds.KEY_OPERATOR: "x"}, stays=True)
    for order_no, kind, stays in (
        ("load-done", KIND_LOAD_DONE, False),
        ("load-void", KIND_LOAD_VOID, False),
        ("load-open", None, True),
    ):
        load = kept.add(KIND_LOAD_INTENT, load_body(order_no), stays)
        if kind == KIND_LOAD_DONE:
            fields = {kinds.KEY_TAC_STATE: 2, kinds.KEY_KNOWN_BY: 1}
            kept.add(kind, {kinds.KEY_INTENT: load, kinds.KEY_OUTCOME: 1, **fields}, stays)
        elif kind is not None:
            kept.add(kind, {kinds.KEY_INTENT: load, kinds.KEY_OUTCOME: 511}, stays)
    declined = {key: value for key, value in intent_body("declined").items() if key in (1, 2)}
    kept.add(KIND_DECLINED, {**declined, 22: 1, 23: 1, 24: 1, 36: 101}, stays=False)
    for number, stays in ((1, False), (2, True)):
        body = {kinds.KEY_WHAT: "stoplist", kinds.KEY_DIGEST: bytes(32), kinds.KEY_LAST: number}
        kept.add(KIND_APPLIED, body, stays)
        kept.add(KIND_DAY_KEY, {kinds.KEY_KEY_NO: number, kinds.KEY_WRAPPED: b"x"}, stays)
    body = {kinds.KEY_WHAT: "operators", kinds.KEY_DIGEST: bytes(32), kinds.KEY_LAST: 1}
    kept.add(KIND_APPLIED, body, stays=True)
    change = {kinds.KEY_PUBLIC_KEY: bytes(32), kinds.KEY_SIGNING_ALGORITHM: 8}
    kept.add(KIND_KEY_CHANGE, change, stays=True)
    kept.add(KIND_START, start_body(TEST_DEVICE_KEY.public_key), stays=True)
    kept.add(KIND_TAMPER, TAMPER, stays=False)


def test_what_leaves_and_what_stays_is_the_table(tmp_path):
    journal, kept = old_journal(tmp_path)
    everything(kept)
    last = journal.head()[0]
    send(journal)
    pad(journal)
    set_clock(journal)
    assert whole_round(journal) == last
    assert left(journal) == kept.expected + list(range(last + 1, last + KEEP + 1))
    assert journal.floor == last
    assert Floor(tmp_path).read() == (last, set(kept.expected))
    assert whole_round(journal) == len(kept.expected)  # what stayed is looked at again
    assert left(journal)[: len(kept.expected)] == kept.expected
    journal.close()


def test_what_stayed_is_sound_and_no_gap_is_taken_for_damage(tmp_path):
    journal, kept = old_journal(tmp_path)
    everything(kept)
    send(journal)
    pad(journal)
    set_clock(journal)
    whole_round(journal)
    head = journal.head()
    for _ in range(2):  # at a start and by a scrub, before and after another start
        journal.scrubbed = 0
        while journal.scrub(5):
            pass
        assert journal.damaged_ranges() == []
        journal = restart(journal, tmp_path)
        assert journal.head() == head
    opened = {each.body[kinds.KEY_ORDER_NO] for each in journal.open_intents()}
    assert opened == {"open", "uncertain", "open-printed"}
    assert [each.body[1] for each in journal.open_loads()] == ["load-open"]
    assert (journal.applied("stoplist"), journal.applied("operators")) == (2, 1)
    totals = journal.open_totals((1).to_bytes(16, "big"))
    assert [each.body[1] for each in totals] == ["totals-due"]
    pad(journal, 1)  # the chain goes on
    send(journal, 7)
    while journal.scrub(5):
        pass
    assert journal.damaged_ranges() == []
    journal.close()


def test_a_payment_that_ends_later_leaves_later(tmp_path):
    journal, kept = old_journal(tmp_path)
    intent = kept.payment("late", UNCERTAIN, stays=True)
    send(journal)
    pad(journal)
    set_clock(journal)
    whole_round(journal)
    assert left(journal)[:2] == [intent, intent + 1]
    journal.append(KIND_DONE, done_body(intent))
    journal.append(KIND_TOTALS, totals_body(intent))
    send(journal)
    whole_round(journal)
    assert journal.payment_state(intent) == KIND_DONE  # its end is not old yet
    pad(journal)
    send(journal)
    set_clock(journal, LATER + 91 * DAY_MS)
    whole_round(journal)
    assert journal.payment_state(intent) == 0
    assert journal.row("SELECT 1 FROM records WHERE intent = ?", intent) is None
    journal.close()


# --- how far: receipts, age, the newest, the clock ---


def five_old_payments(folder: Path, size: int = 3) -> Journal:
    journal, _ = old_journal(folder)
    for turn in range(5):
        purchase(journal, f"order-{turn}")
    journal.flush()
    send(journal, size)
    pad(journal)
    set_clock(journal)
    return journal


def test_without_a_receipt_nothing_leaves(tmp_path):
    journal, _ = old_journal(tmp_path)
    purchase(journal, "order-1")
    journal.flush()
    batch.seal(journal)
    pad(journal)
    set_clock(journal)
    assert whole_round(journal) == 0
    assert left(journal) == list(range(1, 24))
    journal.close()


def test_the_batch_without_a_receipt_stays_when_later_ones_have_theirs(tmp_path):
    journal, _ = old_journal(tmp_path)
    for turn in range(3):
        purchase(journal, f"order-{turn}")
    journal.flush()
    first, second, third = (batch.seal(journal, 3) for _ in range(3))
    for sealed in (first, third):
        accept_receipt(journal, receipt_for(sealed), TEST_OFFICE_KEY.public_key)
    pad(journal)
    set_clock(journal)
    whole_round(journal)
    assert left(journal)[:3] == [4, 5, 6]
    assert batch.put_out(journal) == [second.number]
    journal.close()


@pytest.mark.parametrize(
    ("why", "change"),
    [
        ("too young", {"start_ms": START_MS + 89 * DAY_MS}),
        ("no clock", {"has_rtc": False}),
        ("a clock set back", {"start_ms": START_MS - DAY_MS, "has_rtc": True}),
    ],
)
def test_nothing_leaves_before_its_time_or_without_a_clock(tmp_path, why, change):
    journal = five_old_payments(tmp_path)
    set_clock(journal, **change)
    if why == "a clock set back":
        journal.clock.set_floor(START_MS)
    assert whole_round(journal) == 0
    assert len(left(journal)) == 15 + KEEP
    set_clock(journal)
    assert whole_round(journal) == 15
    journal.close()


def test_the_newest_stay_however_old(tmp_path):
    journal = five_old_payments(tmp_path)
    journal._pruner = prune.Pruner(journal, 90, keep_newest=journal.head()[0] - 6)
    whole_round(journal)
    assert left(journal)[0] == 7
    assert prune.KEEP_NEWEST == 10_000
    journal.close()


def test_a_record_without_a_trusted_time_is_as_old_as_the_next_that_has_one(tmp_path):
    journal, _ = old_journal(tmp_path)
    journal.clock = Clock(has_rtc=False, trust_h=24, wall=lambda: 1.0)
    for _ in range(3):
        journal.append(KIND_TAMPER, TAMPER)
    journal.clock = clock()
    journal.append(KIND_TAMPER, TAMPER)
    send(journal)
    pad(journal)
    set_clock(journal, START_MS + DAY_MS)
    assert whole_round(journal) == 0
    set_clock(journal)
    assert whole_round(journal) == 4
    journal.close()


def test_statements_and_receipts_leave_with_the_last_of_their_records(tmp_path):
    journal, kept = old_journal(tmp_path)
    purchase(journal, "order-1")
    journal.flush()
    send(journal, 3)
    kept.payment("open", stays=True)
    journal.append(KIND_TAMPER, TAMPER)
    journal.append(KIND_TAMPER, TAMPER)
    send(journal, 3)
    pad(journal, 2 * KEEP)
    send(journal, KEEP)
    set_clock(journal)
    whole_round(journal)
    batches = [number for (number,) in journal.rows("SELECT batch FROM batches ORDER BY batch")]
    assert batches == [2, 4]  # the open payment's, and the newest
    pad(journal, 1)
    assert batch.seal(journal).number == 5
    journal.close()


# --- an order is one payment, for ever ---


@pytest.mark.parametrize("order_no", ["done", "done-late", "ruled", "load-done"])
def test_a_paid_order_is_never_paid_again_and_says_so(tmp_path, order_no):
    journal, kept = old_journal(tmp_path)
    everything(kept)
    send(journal)
    pad(journal)
    set_clock(journal)
    whole_round(journal)
    for _ in range(2):
        with pytest.raises(OrderSettledError, match=order_no):
            journal.by_order(order_no)
        for kind, body in ((KIND_INTENT, intent_body(order_no)), (9, load_body(order_no))):
            with pytest.raises(LifecycleError, match="begun by INTENT"):
                journal.append(kind, body)
        journal = restart(journal, tmp_path)
    journal.close()


@pytest.mark.parametrize("order_no", ["void", "load-void", "declined", "never-seen"])
def test_an_order_that_took_nothing_may_be_begun_again(tmp_path, order_no):
    journal, kept = old_journal(tmp_path)
    everything(kept)
    send(journal)
    pad(journal)
    set_clock(journal)
    whole_round(journal)
    assert journal.by_order(order_no) == []
    journal.append(KIND_INTENT, intent_body(order_no))
    journal.close()


# --- damage, and the file itself lost ---


def test_a_hole_above_the_floor_is_damage_still(tmp_path):
    journal = five_old_payments(tmp_path)
    whole_round(journal)
    with sqlite3.connect(tmp_path / "journal.db") as other:
        other.execute("DELETE FROM records WHERE number = ?", (journal.floor + 3,))
    other.close()
    while journal.scrub(5):
        pass
    assert journal.damaged_ranges() == [(18, 18)]
    journal.close()


def test_a_damaged_payment_and_its_declaration_stay(tmp_path):
    journal = five_old_payments(tmp_path)
    journal.write("UPDATE records SET raw = x'00' WHERE number = 4")
    while journal.scrub(50):
        pass
    assert journal.damaged_ranges() == [(4, 4)]
    send(journal)
    pad(journal)
    whole_round(journal)
    assert 4 in left(journal)
    assert journal.row("SELECT 1 FROM records WHERE kind = ?", KIND_DAMAGE) == (1,)
    journal = restart(journal, tmp_path)
    while journal.scrub(50):
        pass
    assert journal.damaged_ranges() == [(4, 4)]
    journal.close()


def test_a_lost_file_brings_nothing_back_and_forgets_no_order(tmp_path):
    journal, kept = old_journal(tmp_path)
    everything(kept)
    last = journal.head()[0]
    send(journal)
    pad(journal)
    set_clock(journal)
    whole_round(journal)
    orders = set(journal.rows("SELECT name FROM counters WHERE name GLOB 'order:*'"))
    assert len(orders) == 6
    before = left(journal)
    journal.close()
    with open(tmp_path / "journal.db", "r+b") as file:
        file.write(bytes(100))  # the header
    again = open_journal(tmp_path, clock=clock(LATER))
    assert [number for number in left(again) if number <= last + KEEP] == before
    assert all(first > last + KEEP for first, _ in again.damaged_ranges())
    assert set(again.rows("SELECT name FROM counters WHERE name GLOB 'order:*'")) == orders
    assert again.floor == last
    opened = {each.body[kinds.KEY_ORDER_NO] for each in again.open_intents()}
    assert opened == {"open", "uncertain", "open-printed"}
    with pytest.raises(OrderSettledError):
        again.by_order("done")
    again.close()


@pytest.mark.parametrize("raw", [b"", b"x", b"5\n7\n00000000\n", b"5\n"])
def test_a_damaged_floor_file_is_not_believed(tmp_path, raw):
    (tmp_path / FLOOR).write_bytes(raw)
    assert Floor(tmp_path).read() == (0, set())


def test_what_left_cannot_be_carved_from_the_file(tmp_path):
    journal = five_old_payments(tmp_path)
    raws = [journal.get(number).raw for number in range(1, 16)]
    journal.checkpoint()
    assert all(raw in (tmp_path / "journal.db").read_bytes() for raw in raws)
    whole_round(journal)
    journal.close()
    assert not any(raw in (tmp_path / "journal.db").read_bytes() for raw in raws)
