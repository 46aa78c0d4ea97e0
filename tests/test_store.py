"""The journal's questions and its rules on writing (issue part 5; M14: "nothing doubled")."""

from __future__ import annotations

import sqlite3
import threading

import pytest
from journal_maker import (
    START_MS,
    TEST_DEVICE_KEY,
    UNIT,
    Ticking,
    clock,
    done_body,
    intent_body,
    open_journal,
    purchase,
    start_body,
    totals_body,
    uncertain_body,
    void_body,
)

from firmware.clock import TRUST_NONE, TRUST_OFFICE, TRUST_RTC, Clock
from firmware.journal import kinds
from firmware.journal.cose import Ed25519Signer
from firmware.journal.kinds import (
    KIND_APPLIED,
    KIND_DECLINED,
    KIND_DONE,
    KIND_INTENT,
    KIND_PSAM_SEEN,
    KIND_REFUND_REQUEST,
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
from firmware.journal.record import RecordError
from firmware.journal.schema import JournalError
from tests.waiting import SOON_S

TAMPER = {kinds.KEY_DETAIL: "the case was opened"}


@pytest.fixture
def journal(tmp_path):
    opened = open_journal(tmp_path)
    yield opened
    opened.close()


def syncs_of(journal, act) -> int:
    """How many transactions `act` committed, as SQLite's trace tells."""
    commits = []
    journal._writer._connection.set_trace_callback(commits.append)
    act()
    journal._writer._connection.set_trace_callback(None)
    return sum(statement.startswith("COMMIT") for statement in commits)


# --- append ---


def test_numbers_and_chain_have_no_gap(journal):
    made = [journal.append(KIND_TAMPER, TAMPER) for _ in range(5)]
    assert [each.number for each in made] == [1, 2, 3, 4, 5]
    assert made[0].previous == bytes(32)
    assert [each.previous for each in made[1:]] == [each.digest for each in made[:-1]]
    assert journal.head() == (5, made[-1].digest)
    assert journal.records() == made


def test_a_record_says_unit_boot_time_trust_and_profile(journal):
    made = journal.append(KIND_START, start_body(TEST_DEVICE_KEY.public_key))
    assert (made.unit, made.boot, made.trust, made.profile) == (UNIT, 1, TRUST_RTC, 1)
    assert START_MS < made.time_ms < START_MS + 60_000


def test_a_refused_record_uses_no_number(journal):
    for kind, body, error in [
        (99, {}, RecordError),
        (KIND_TAMPER, {}, RecordError),
        (KIND_DONE, done_body(7), LifecycleError),
    ]:
        with pytest.raises(error):
            journal.append(kind, body)
    assert journal.append(KIND_TAMPER, TAMPER).number == 1


def test_riders_go_with_the_next_transaction(journal, tmp_path):
    """Architecture, step 15: TOTALS rides on the next sync."""
    intent = purchase(journal, "order-1")
    assert [each.number for each in journal.records()] == [1, 2]
    assert journal.head()[0] == 3
    assert [each.kind_name for each in journal.by_order("order-1")] == ["INTENT", "DONE", "TOTALS"]
    assert journal.open_totals(intent.body[kinds.KEY_CARD_ID]) == []
    assert syncs_of(journal, lambda: journal.append(KIND_TAMPER, TAMPER)) == 1
    assert [each.kind for each in journal.records()] == [1, 2, 7, 19]
    assert [each.kind_name for each in journal.by_order("order-1")] == ["INTENT", "DONE", "TOTALS"]


def test_one_purchase_is_two_syncs(journal):
    purchase(journal, "order-1")
    assert syncs_of(journal, lambda: purchase(journal, "order-2")) == 2


def test_flush_and_close_write_the_riders(tmp_path):
    journal = open_journal(tmp_path)
    purchase(journal, "order-1")
    assert syncs_of(journal, journal.flush) == 1
    assert syncs_of(journal, journal.flush) == 0
    assert len(journal.records()) == 3
    journal.append(KIND_TAMPER, TAMPER, ride=True)
    journal.close()
    again = open_journal(tmp_path)
    assert len(again.records()) == 4
    again.close()


@pytest.mark.parametrize("kind", [KIND_INTENT, KIND_DONE, KIND_VOID, KIND_UNCERTAIN])
def test_what_decides_over_money_does_not_ride(journal, kind):
    intent = journal.append(KIND_INTENT, intent_body())
    bodies = {
        KIND_INTENT: intent_body("other"),
        KIND_DONE: done_body(intent.number),
        KIND_VOID: void_body(intent.number),
        KIND_UNCERTAIN: uncertain_body(intent.number),
    }
    with pytest.raises(LifecycleError, match="does not ride"):
        journal.append(kind, bodies[kind], ride=True)
    assert journal.head()[0] == 1


# --- life cycle ---


def test_an_order_is_begun_once(journal):
    """M14: a repeated order number never debits again."""
    first = journal.append(KIND_INTENT, intent_body("order-1"))
    for settle in (None, (KIND_DONE, done_body(first.number))):
        if settle:
            journal.append(*settle)
        with pytest.raises(LifecycleError, match="begun by INTENT 1"):
            journal.append(KIND_INTENT, intent_body("order-1"))
    journal.append(KIND_INTENT, intent_body("order-2"))


def test_an_order_that_came_to_nothing_may_be_begun_again(journal):
    first = journal.append(KIND_INTENT, intent_body("order-1"))
    journal.append(KIND_VOID, void_body(first.number))
    second = journal.append(KIND_INTENT, intent_body("order-1"))
    assert [each.number for each in journal.by_order("order-1")] == [1, 2, 3]
    assert [each.number for each in journal.open_intents()] == [second.number]


def test_states_follow_the_records(journal):
    intent = journal.append(KIND_INTENT, intent_body()).number
    assert journal.payment_state(intent) == KIND_INTENT
    assert journal.outcome_of(intent) is None
    journal.append(KIND_UNCERTAIN, uncertain_body(intent))
    assert journal.payment_state(intent) == KIND_UNCERTAIN
    assert [each.number for each in journal.open_intents()] == [intent]
    suspect = {**done_body(intent), kinds.KEY_OUTCOME: 503}
    journal.append(KIND_SUSPECT, suspect)
    assert journal.open_intents() == []
    ruled = journal.append(
        KIND_RULED,
        {kinds.KEY_INTENT: intent, kinds.KEY_OPERATOR: "office", kinds.KEY_DETAIL: "taken"},
    )
    assert journal.payment_state(intent) == KIND_RULED
    assert journal.outcome_of(intent) == ruled
    with pytest.raises(LifecycleError):
        journal.append(KIND_VOID, void_body(intent))
    assert journal.payment_state(999) == 0


def test_a_refund_names_the_done_of_its_intent(journal):
    one, two = purchase(journal, "order-1").number, purchase(journal, "order-2").number
    body = {kinds.KEY_INTENT: one, kinds.KEY_OPERATOR: "clerk"}
    for wrong in (one, two + 1, 99):
        with pytest.raises(LifecycleError, match="is not the DONE"):
            journal.append(KIND_REFUND_REQUEST, {**body, kinds.KEY_DONE: wrong})
    made = journal.append(KIND_REFUND_REQUEST, {**body, kinds.KEY_DONE: one + 1})
    assert made in journal.by_order("order-1")


def test_paper_is_printed_of_payments_only(journal):
    with pytest.raises(LifecycleError):
        journal.append(KIND_REPRINT, {kinds.KEY_INTENT: 1, kinds.KEY_OPERATOR: "clerk"})
    intent = purchase(journal, "order-1").number
    journal.append(KIND_REPRINT, {kinds.KEY_INTENT: intent, kinds.KEY_OPERATOR: "clerk"})


# --- questions ---


def test_by_order_tells_of_declined_too(journal):
    body = {
        kinds.KEY_ORDER_NO: "order-1",
        kinds.KEY_OPERATOR: "clerk",
        kinds.KEY_ACCOUNT_FEN: 1,
        kinds.KEY_SELF_FEN: 0,
        kinds.KEY_POOLED_FEN: 0,
        kinds.KEY_OUTCOME: 201,
    }
    declined = journal.append(KIND_DECLINED, body)
    intent = purchase(journal, "order-1")
    purchase(journal, "order-2")
    found = journal.by_order("order-1")
    assert [each.number for each in found] == [declined.number, intent.number, 3, 4]
    assert journal.by_order("order-3") == []


def test_spent_counts_all_but_void(journal):
    """Issue part 4: limits; "terminal limits count DONE in the journal"."""
    day = journal.clock.day(START_MS)
    done = purchase(journal, "order-1", card=1)
    void = journal.append(KIND_INTENT, intent_body("order-2", card=1))
    journal.append(KIND_INTENT, intent_body("order-3", card=2))
    each = 1250 + 200 + 30
    assert journal.spent_fen(day) == 3 * each
    journal.append(KIND_VOID, void_body(void.number))
    assert journal.spent_fen(day) == 2 * each
    assert journal.spent_fen(day, done.body[kinds.KEY_CARD_ID]) == each
    assert journal.spent_fen(day, bytes(16)) == 0
    assert journal.spent_fen(day + 1) == 0


def test_the_day_is_the_local_one(tmp_path):
    """UTC+8: a payment at 17:00Z belongs to the next day."""
    evening = 1_790_010_000_000  # 2026-09-21T17:00:00Z
    journal = open_journal(tmp_path, clock=clock(evening))
    journal.append(KIND_INTENT, intent_body())
    assert journal.spent_fen(20260922) > 0
    assert journal.spent_fen(20260921) == 0
    journal.close()


def test_the_serial_of_each_psam_is_found_again(journal):
    one, two = bytes.fromhex("440100000001"), bytes.fromhex("440100000002")
    assert journal.last_terminal_serial(one) is None
    intent = journal.append(KIND_INTENT, intent_body(card=5))
    assert journal.last_terminal_serial(one) == (bytes.fromhex("00000005"), intent)
    seen = {
        kinds.KEY_TERMINAL: two,
        kinds.KEY_TERMINAL_SERIAL: bytes.fromhex("00000009"),
        kinds.KEY_EXPLAINED: True,
    }
    at_two = journal.append(KIND_PSAM_SEEN, seen)
    assert journal.last_terminal_serial(two) == (bytes.fromhex("00000009"), at_two)
    assert journal.last_terminal_serial(one)[1] == intent


def test_the_newest_signed_file_is_remembered(journal):
    assert journal.applied("stoplist") == 0
    for number in (3, 4):
        journal.append(
            KIND_APPLIED,
            {kinds.KEY_WHAT: "stoplist", kinds.KEY_DIGEST: bytes(32), kinds.KEY_LAST: number},
        )
    assert journal.applied("stoplist") == 4
    assert journal.applied("other") == 0


def test_records_are_paged(journal):
    for _ in range(5):
        journal.append(KIND_TAMPER, TAMPER)
    assert [each.number for each in journal.records(after=2, limit=2)] == [3, 4]
    assert journal.records(after=5) == []
    assert journal.get(3).number == 3
    assert journal.get(6) is None


def test_other_threads_read_while_one_writes(journal):
    """The socket thread asks while the card thread appends."""
    problems, stop = [], threading.Event()

    def read():
        try:
            while not stop.is_set():
                numbers = [each.number for each in journal.records(limit=50)]
                assert numbers == list(range(1, len(numbers) + 1))
                journal.by_order("order-3")
        except Exception as error:
            problems.append(error)

    thread = threading.Thread(target=read)
    thread.start()
    for turn in range(20):
        purchase(journal, f"order-{turn}")
    stop.set()
    thread.join(SOON_S)
    assert not thread.is_alive()
    assert problems == []


def test_the_reading_connection_cannot_write(journal):
    with pytest.raises(JournalError, match="readonly"):
        journal.rows("DELETE FROM records")


def test_the_store_is_wal_and_full(journal):
    """Issue part 5: "WAL mode with synchronous=FULL"."""
    assert journal._writer.ask("PRAGMA journal_mode") == ("wal",)
    assert journal._writer.ask("PRAGMA synchronous") == (2,)


# --- opening ---


def test_reopening_goes_on(tmp_path):
    journal = open_journal(tmp_path)
    purchase(journal, "order-1")
    open_one = journal.append(KIND_INTENT, intent_body("order-2"))
    head = journal.head()
    journal.close()
    again = open_journal(tmp_path)
    assert again.head() == head
    assert again.boot == 2
    assert again.open_intents() == [open_one]
    assert again.append(KIND_TAMPER, TAMPER).previous == head[1]
    again.close()


def test_every_start_is_counted_even_one_without_a_record(tmp_path):
    for expected in (1, 2, 3):
        journal = open_journal(tmp_path)
        assert journal.boot == expected
        journal.close()


def test_the_clock_does_not_go_behind_the_newest_record(tmp_path):
    """Bad input: "a clock that jumped back"."""
    journal = open_journal(tmp_path)
    journal.append(KIND_TAMPER, TAMPER)
    journal.close()
    early = clock(START_MS - 86_400_000)
    again = open_journal(tmp_path, clock=early)
    assert early.is_behind
    made = again.append(KIND_TAMPER, TAMPER)
    assert made.trust == TRUST_NONE
    again.close()


def test_a_time_nobody_trusts_binds_nobody(tmp_path):
    """One record far in the future must not bar every payment until then."""
    untrusted = Clock(has_rtc=False, trust_h=1, wall=Ticking(START_MS + 10**12))
    journal = open_journal(tmp_path, clock=untrusted)
    assert journal.append(KIND_TAMPER, TAMPER).trust == TRUST_NONE
    journal.close()
    untrusted.set_office_time(START_MS)
    assert untrusted.now().trust == TRUST_OFFICE
    right = clock()
    open_journal(tmp_path, clock=right).close()
    assert right.now().trust == TRUST_RTC


def test_a_new_device_key_keeps_the_old_records(tmp_path):
    """`unit` survives key rotation."""
    journal = open_journal(tmp_path)
    purchase(journal, "order-1")
    journal.close()
    new_key = Ed25519Signer(b"another invented key of 32 bytes")
    again = open_journal(tmp_path, signer=new_key)
    assert again.damaged_ranges() == []
    assert len(again.records()) == 3
    again.append(KIND_TAMPER, TAMPER)
    assert again.public_keys == [new_key.public_key, TEST_DEVICE_KEY.public_key]
    again.close()
    third = open_journal(tmp_path, signer=new_key)
    assert len(third.records()) == 4
    third.close()


def test_another_version_of_the_store_is_left_alone(tmp_path):
    open_journal(tmp_path).close()
    with sqlite3.connect(tmp_path / "journal.db") as other:
        other.execute("PRAGMA user_version = 9")
    other.close()
    before = (tmp_path / "journal.db").read_bytes()
    with pytest.raises(JournalError, match="version 9"):
        open_journal(tmp_path)
    assert (tmp_path / "journal.db").read_bytes() == before


def test_a_checkpoint_changes_no_record(tmp_path):
    journal = open_journal(tmp_path)
    purchase(journal, "order-1")
    journal.checkpoint()
    assert len(journal.records()) == 3
    purchase(journal, "order-2")
    assert journal.append(KIND_TOTALS, totals_body(4)).number == 7
    journal.close()
