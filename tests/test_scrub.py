"""A flipped byte in the journal's file (issue, bad input: "at start ... and a background scrub and
every sealing check the rest; damage quarantines the range, is shown and journaled, newer records
still go up")."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from journal_maker import (
    TEST_DEVICE_KEY,
    TEST_OFFICE_KEY,
    intent_body,
    open_journal,
    purchase,
    receipt_for,
    void_body,
)

from firmware.journal import batch, kinds, record, scrub
from firmware.journal.kinds import (
    KIND_DAMAGE,
    KIND_DONE,
    KIND_INTENT,
    KIND_TAMPER,
    KIND_UNCERTAIN,
    KIND_VOID,
)
from firmware.journal.lifecycle import LifecycleError
from firmware.journal.receipt import accept_receipt
from firmware.journal.schema import JournalDamagedError

TAMPER = {kinds.KEY_DETAIL: "the case was opened"}
PUBLIC_KEY = TEST_DEVICE_KEY.public_key


def filled(folder: Path, purchases: int):
    """A closed journal of 3 records a purchase, TOTALS of the last included."""
    journal = open_journal(folder)
    for turn in range(purchases):
        purchase(journal, f"order-{turn}", card=turn)
    journal.close()


def edit(folder: Path, sql: str, *values: object) -> None:
    with sqlite3.connect(folder / "journal.db") as other:
        other.execute(sql, values)
    other.close()


def flip(folder: Path, number: int, at: int = 100, mask: int = 0x01) -> None:
    """Flip bits of one byte of a record, in the file itself, as a failing card does."""
    with sqlite3.connect(folder / "journal.db") as other:
        raw = other.execute("SELECT raw FROM records WHERE number = ?", (number,)).fetchone()[0]
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    other.close()
    path = folder / "journal.db"
    data = bytearray(path.read_bytes())
    where = data.find(raw)
    assert where > 0
    data[where + at] ^= mask
    path.write_bytes(data)


def whole_round(journal) -> int:
    count = 0
    while step := journal.scrub(100):
        count += step
    return count


# --- at the start ---


@pytest.mark.parametrize("at", [0, 1, 4, 50, 60, 100, 200, 250, 300])
def test_any_byte_of_a_new_record_is_missed_at_the_start(tmp_path, at):
    """Tag, headers, key id, payload, signature."""
    filled(tmp_path, 4)
    flip(tmp_path, 7, at)
    journal = open_journal(tmp_path)
    assert journal.damaged_ranges() == [(7, 7)]
    damage = journal.get(13)
    assert damage.kind == KIND_DAMAGE
    assert (damage.body[kinds.KEY_FIRST], damage.body[kinds.KEY_LAST]) == (7, 7)
    with pytest.raises(JournalDamagedError):
        journal.get(7)
    assert [each.number for each in journal.records()] == [*range(1, 7), *range(8, 14)]
    journal.close()
    again = open_journal(tmp_path)
    assert again.head()[0] == 13  # declared once
    again.close()


def test_a_damaged_head_does_not_stop_the_chain(tmp_path):
    """docs/records.md: the next record's `previous` is the hash of the bytes as they are."""
    filled(tmp_path, 2)
    flip(tmp_path, 6)
    journal = open_journal(tmp_path)
    assert journal.damaged_ranges() == [(6, 6)]
    stored = journal.row("SELECT raw FROM records WHERE number = 6")[0]
    assert journal.get(7).previous == record.digest_of(stored)
    purchase(journal, "order-new")
    sealed = batch.seal(journal)
    contents = batch.parse_batch(sealed.raw, PUBLIC_KEY)
    assert contents.statement.damaged == ((6, 6),)
    assert [each.number for each in contents.records] == [1, 2, 3, 4, 5, 7, 8, 9, 10]
    journal.close()


def test_a_record_that_rides_is_not_taken_for_lost(tmp_path):
    """It has a number and stands in no file yet."""
    journal = open_journal(tmp_path)
    journal.append(KIND_TAMPER, TAMPER)
    riding = journal.append(KIND_TAMPER, TAMPER, ride=True)
    assert journal.scrub(10) == riding.number
    assert journal.damaged_ranges() == []
    assert journal.head() == (riding.number, riding.digest)
    journal.close()


def test_an_old_open_intent_is_checked_at_the_start(tmp_path):
    journal = open_journal(tmp_path)
    intent = journal.append(KIND_INTENT, intent_body("order-1")).number
    for _ in range(scrub.NEWEST + 10):
        journal.append(KIND_TAMPER, TAMPER, ride=True)
    journal.close()
    flip(tmp_path, intent)
    again = open_journal(tmp_path)
    assert again.damaged_ranges() == [(1, 1)]
    again.close()


def test_a_payment_open_under_a_damaged_intent_is_uncertain(tmp_path):
    """Nothing is lost: the office hears of it, and the order is not debited again."""
    journal = open_journal(tmp_path)
    journal.append(KIND_INTENT, intent_body("order-1"))
    day = journal.clock.day(journal.get(1).time_ms)
    journal.close()
    flip(tmp_path, 1)
    again = open_journal(tmp_path)
    assert again.payment_state(1) == KIND_UNCERTAIN
    uncertain = again.outcome_of(1)
    assert uncertain.body == {kinds.KEY_INTENT: 1, kinds.KEY_OUTCOME: 502}
    assert again.open_intents() == []
    assert again.spent_fen(day) == 1480
    with pytest.raises(JournalDamagedError):
        again.by_order("order-1")
    with pytest.raises(LifecycleError, match="begun"):
        again.append(KIND_INTENT, intent_body("order-1"))
    again.close()


def test_a_damaged_outcome_is_not_taken_for_none(tmp_path):
    filled(tmp_path, 1)
    flip(tmp_path, 2)
    journal = open_journal(tmp_path)
    assert journal.payment_state(1) == KIND_DONE
    for ask in (lambda: journal.outcome_of(1), lambda: journal.by_order("order-0")):
        with pytest.raises(JournalDamagedError):
            ask()
    with pytest.raises(LifecycleError):
        journal.append(KIND_VOID, void_body(1))
    journal.close()


@pytest.mark.parametrize("value", [None, 5, "text", b""])
def test_a_row_whose_type_changed_is_damage(tmp_path, value):
    filled(tmp_path, 2)
    if value is None:
        edit(tmp_path, "PRAGMA ignore_check_constraints = ON")
        edit(tmp_path, "DELETE FROM records WHERE number = 6")
        edit(
            tmp_path,
            "INSERT INTO records (number, raw, kind, damaged) VALUES (6, '', 7, 0)",
        )
    else:
        edit(tmp_path, "UPDATE records SET raw = ? WHERE number = 6", value)
    journal = open_journal(tmp_path)
    assert journal.damaged_ranges() == [(6, 6)]
    journal.close()


def test_records_that_are_gone_are_declared_as_one_range(tmp_path):
    filled(tmp_path, 5)
    edit(tmp_path, "DELETE FROM records WHERE number BETWEEN 4 AND 8")
    journal = open_journal(tmp_path)
    assert journal.damaged_ranges() == [(4, 8)]
    journal.close()


def test_a_record_put_in_the_place_of_another_is_damage(tmp_path):
    """Well signed, wrong place; and one of this key that does not follow its predecessor."""
    filled(tmp_path, 3)
    edit(
        tmp_path,
        "UPDATE records SET raw = (SELECT raw FROM records WHERE number = 2) WHERE number = 5",
    )
    foreign = record.build(
        KIND_TAMPER,
        TAMPER,
        unit="test-unit-1",
        number=8,
        boot=1,
        time_ms=1,
        trust=0,
        profile=1,
        previous=bytes(32),
        signer=TEST_DEVICE_KEY,
    )
    edit(tmp_path, "UPDATE records SET raw = ? WHERE number = 8", foreign.raw)
    journal = open_journal(tmp_path)
    assert journal.damaged_ranges() == [(5, 5), (8, 8)]
    assert "does not follow" in journal.get(11).body[kinds.KEY_DETAIL]
    with pytest.raises(JournalDamagedError, match="quarantined"):
        journal.get(8)
    journal.close()


# --- the scrub ---


def test_the_scrub_finds_what_a_start_does_not_look_at(tmp_path):
    filled(tmp_path, 100)
    flip(tmp_path, 20)
    journal = open_journal(tmp_path)
    assert journal.damaged_ranges() == []
    assert whole_round(journal) == 301
    assert journal.damaged_ranges() == [(20, 20)]
    head = journal.head()
    assert whole_round(journal) == 301  # a second round finds nothing new
    assert journal.head() == head
    journal.close()


def test_the_scrub_goes_on_where_it_was(tmp_path):
    filled(tmp_path, 10)
    journal = open_journal(tmp_path)
    assert [journal.scrub(12) for _ in range(4)] == [12, 12, 6, 0]
    assert journal.scrub(5) == 5
    journal.checkpoint()
    journal.close()
    again = open_journal(tmp_path)
    assert again.scrubbed == 5
    again.close()


def test_what_a_question_stumbled_over_is_scrubbed_first(tmp_path):
    filled(tmp_path, 100)
    flip(tmp_path, 200)
    journal = open_journal(tmp_path)
    edit(tmp_path, "UPDATE records SET raw = x'00' WHERE number = 20")
    with pytest.raises(JournalDamagedError):
        journal.get(20)
    journal.scrub(1)
    assert (20, 20) in journal.damaged_ranges()
    journal.close()


COLUMNS = {
    "kind": 3,
    "intent": 77,
    "order_no": "other",
    "card_id": bytes(16),
    "card_number": "other",
    "terminal": bytes(6),
    "day": 20200101,
    "fen": 1,
    "state": 3,
    "damaged": 1,
}


@pytest.mark.parametrize("column", COLUMNS)
def test_derived_columns_are_made_anew_from_the_record(tmp_path, column):
    filled(tmp_path, 3)
    number = 5 if column == "intent" else 4
    edit(tmp_path, f"UPDATE records SET {column} = ? WHERE number = ?", COLUMNS[column], number)
    journal = open_journal(tmp_path)
    assert journal.damaged_ranges() == []
    assert [each.number for each in journal.by_order("order-1")] == [4, 5, 6]
    assert journal.payment_state(4) == KIND_DONE
    day = journal.clock.day(journal.get(4).time_ms)
    assert journal.spent_fen(day) == 3 * 1480
    assert journal.row(f"SELECT {column} FROM records WHERE number = ?", number) != (
        COLUMNS[column],
    )
    journal.close()


def test_a_state_is_not_changed_because_the_link_to_its_outcome_is_damaged(tmp_path):
    """A payment that is DONE must not look open again; the outcome may be any number later."""
    filled(tmp_path, 100)
    edit(tmp_path, "UPDATE records SET intent = 77 WHERE number = 5")
    journal = open_journal(tmp_path)
    assert journal.scrub(4) == 4  # reaches the INTENT, not its DONE
    assert journal.payment_state(4) == KIND_DONE
    assert [each.number for each in journal.by_order("order-1")] == [4, 5, 6]
    journal.close()


@pytest.mark.parametrize(
    "index", ["records_order", "records_intent", "records_day", "records_open", "records_done"]
)
def test_an_index_that_lost_a_record_is_made_anew(tmp_path, index):
    """A repeated order must be found even when a byte of the index flipped."""
    filled(tmp_path, 3)
    journal = open_journal(tmp_path)
    journal.append(KIND_INTENT, intent_body("order-open", card=9))
    journal.close()
    with sqlite3.connect(tmp_path / "journal.db") as other:
        other.execute("PRAGMA writable_schema = ON")
        sql = other.execute("SELECT sql FROM sqlite_master WHERE name = ?", (index,)).fetchone()[0]
        blank = f"CREATE INDEX {index} ON records (number) WHERE number < 0"
        other.execute("UPDATE sqlite_master SET sql = ? WHERE name = ?", (blank, index))
    other.close()
    with sqlite3.connect(tmp_path / "journal.db") as other:
        other.execute(f"REINDEX {index}")
        other.execute("PRAGMA writable_schema = ON")
        other.execute("UPDATE sqlite_master SET sql = ? WHERE name = ?", (sql, index))
    other.close()
    again = open_journal(tmp_path)
    assert [each.number for each in again.by_order("order-1")] == [4, 5, 6]
    assert [each.number for each in again.open_intents()] == [10]
    assert again.spent_fen(again.clock.day(again.get(4).time_ms)) == 4 * 1480
    assert again.damaged_ranges() == []
    again.close()


# --- sealing ---


def test_sealing_checks_every_record_once_more(tmp_path):
    filled(tmp_path, 100)
    flip(tmp_path, 20)
    flip(tmp_path, 21)
    flip(tmp_path, 40)
    journal = open_journal(tmp_path)
    sealed = batch.seal(journal, max_records=50)
    contents = batch.parse_batch(sealed.raw, PUBLIC_KEY)
    assert contents.statement.damaged == ((20, 21), (40, 40))
    assert len(contents.records) == 47
    assert batch.put_out(journal) == [1]
    accept_receipt(journal, receipt_for(sealed), TEST_OFFICE_KEY.public_key)
    rest = []
    while more := batch.seal(journal):
        rest += batch.parse_batch(more.raw, PUBLIC_KEY).records
    assert [each.kind for each in rest][-2:] == [KIND_DAMAGE, KIND_DAMAGE]
    assert [each.number for each in rest] == list(range(51, 303))
    journal.close()


@pytest.mark.parametrize("bad", [[10], [9, 10], [10, 11], [1], [1, 10]])
def test_a_batch_never_ends_in_damage(tmp_path, bad):
    filled(tmp_path, 100)
    for number in bad:
        flip(tmp_path, number)
    journal = open_journal(tmp_path)
    seen = []
    while sealed := batch.seal(journal, max_records=10):
        contents = batch.parse_batch(sealed.raw, PUBLIC_KEY)
        seen += [each.number for each in contents.records]
        assert contents.records[-1].number == contents.statement.last
    assert seen == [n for n in range(1, journal.head()[0] + 1) if n not in bad]
    journal.close()
