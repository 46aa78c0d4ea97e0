"""What leaves the unit (docs/records.md "Retention"): only what the office has and nobody needs."""

from __future__ import annotations

import pytest
from journal_maker import (
    START_MS,
    TEST_OFFICE_KEY,
    clock,
    done_body,
    purchase,
    receipt_for,
    totals_body,
)
from prune_rig import (
    DAY_MS,
    KEEP,
    LATER,
    TAMPER,
    UNCERTAIN,
    everything,
    five_old_payments,
    left,
    old_journal,
    pad,
    restart,
    send,
    set_clock,
    whole_round,
)

from firmware.clock import Clock
from firmware.journal import batch, kinds, prune
from firmware.journal.kinds import (
    KIND_DONE,
    KIND_TAMPER,
    KIND_TOTALS,
)
from firmware.journal.receipt import accept_receipt
from firmware.journal.room import Floor


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
    accept_receipt(journal, receipt_for(first), TEST_OFFICE_KEY.public_key)
    journal.write("UPDATE batches SET receipt = x'00' WHERE batch = ?", third.number)
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
    assert batches == [2, 3, 4]  # the open payment's, and those that tell of the office's tree
    pad(journal, 1)
    assert batch.seal(journal).number == 5
    journal.close()
