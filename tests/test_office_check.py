"""`sscoffice check` proves the store whole, and sees each way in which it is not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware.journal.batch import make_file, take_apart
from firmware.journal.packing import pack
from firmware.journal.record import digest_of
from office import folder
from office.check import check, subtract
from office.folder import Folder
from tests import office_rig
from tests.office_rig import Terminal, done_body, enrol, intent_body, replace, spoil

VOID, SUSPECT, UNCERTAIN, RULED, DECLINED, DAMAGE = 3, 4, 5, 6, 8, 21


@pytest.fixture
def office(tmp_path):
    folder.init(tmp_path / "office", "Office 1")
    office = Folder(tmp_path / "office")
    yield office
    office.close()


def take(office, terminal, number, raw):
    enrol(office, terminal)
    return office_rig.take(office, terminal.unit, raw)


@pytest.fixture
def morning(office):
    """Three batches of a unit: one purchase of every state, and one record of no purchase."""
    terminal = Terminal()
    terminal.purchase("A1", serial=1)
    terminal.add(DECLINED, {1: "A2", 2: "clerk", 22: 5, 23: 0, 24: 0, 36: 108})
    take(office, terminal, 1, terminal.batch())  # 1-3
    void = terminal.add(1, intent_body("A3", serial=2))
    terminal.add(VOID, {30: void, 36: 501})
    torn = terminal.add(1, intent_body("A4", serial=2))
    terminal.add(UNCERTAIN, {30: torn, 36: 502})
    take(office, terminal, 2, terminal.batch())  # 4-7
    terminal.add(2, done_body(torn))
    odd = terminal.add(1, intent_body("A5", serial=3))
    terminal.add(SUSPECT, done_body(odd) | {36: 503})
    lost = terminal.add(1, intent_body("A6", serial=4))
    terminal.add(UNCERTAIN, {30: lost, 36: 502})
    terminal.add(32, {2: "clerk"})
    terminal.add(1, intent_body("A7", serial=5))
    take(office, terminal, 3, terminal.batch())  # 8-14
    return terminal


def test_paper_of_a_payment_changes_nothing(office):
    """RECEIPT_PRINTED and REPRINT, beside a payment and long after it (issue D7)."""
    terminal = Terminal()
    terminal.purchase("A1", serial=1)
    terminal.add(34, {30: 1, 2: "clerk"})
    take(office, terminal, 1, terminal.batch())
    terminal.add(35, {30: 1, 2: "another"})
    take(office, terminal, 2, terminal.batch())
    result = check(office).to_json()
    assert (result["ok"], result["verified"], result["open"]) == (True, 4, 0)
    assert result["purchases"]["done"] == 1


def test_a_whole_store(office, morning):
    result = check(office).to_json()
    assert result == {
        "ok": True, "units": 1, "records": 14, "verified": 14, "gaps": 0, "duplicates": 0,
        "damaged": 0, "open": 1, "refused": 0,
        "purchases": {"done": 2, "void": 1, "declined": 1, "suspect": 1, "uncertain": 1},
        "loads": {"done": 0, "void": 0, "uncertain": 0}, "tac": {"not checked": 3}, "wrong_tac": [],
        "missing": [], "declared_damaged": [], "quarantined": [], "forked": [], "problems": [],
    }  # fmt: skip


def test_an_empty_store_is_whole(office):
    assert check(office).to_json()["records"] == 0


def broken(office):
    found = check(office)
    assert not found.is_whole
    return found


@pytest.mark.parametrize("number", [1, 3, 4, 9, 14])
def test_a_byte_changed_in_a_stored_record_is_found(office, morning, number):
    spoil(office.store, "unit-1", number)
    found = broken(office)
    assert found.verified == 13
    assert any("the records are not those" in each for each in found.problems)
    assert any(f"record {number}: the signature is wrong" in each for each in found.problems)
    assert found.missing == []


@pytest.mark.parametrize("batch", [1, 3])
def test_a_byte_flipped_in_a_stored_file_is_found(office, morning, batch):
    file = bytearray(office.store.file("unit-1", batch))
    file[-5] ^= 1
    replace(office.store, "unit-1", batch, bytes(file))
    assert any(f"batch {batch}: " in each for each in broken(office).problems)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE records SET kind = 3 WHERE number = 2",
        "UPDATE records SET time_ms = time_ms + 1 WHERE number = 7",
        "UPDATE batches SET last = 4 WHERE batch = 1",
        "UPDATE batches SET head = digest WHERE batch = 2",
        "UPDATE batches SET opens = NULL WHERE batch = 2",
    ],
)
def test_a_column_that_no_longer_agrees_with_the_file_is_found(office, morning, change):
    office.store.write(change)
    assert any(
        "does not agree" in each or "do not agree" in each for each in broken(office).problems
    )


def test_two_receipts_exchanged_are_found(office, morning):
    (one,), (two,) = office.store.rows("SELECT receipt FROM batches WHERE batch < 3 ORDER BY batch")
    office.store.write("UPDATE batches SET receipt = ? WHERE batch = 1", two)
    office.store.write("UPDATE batches SET receipt = ? WHERE batch = 2", one)
    assert len([each for each in broken(office).problems if "receipt: " in each]) == 2


def test_a_changed_hash_of_the_tree_is_found(office, morning):
    office.store.write("UPDATE nodes SET hash = ? WHERE level = 1", bytes(32))
    assert "its hashes do not belong together" in broken(office).problems[0]


def test_a_record_removed_from_the_store_is_found(office, morning):
    office.store.write("DELETE FROM records WHERE number = 5")
    found = broken(office)
    assert "do not agree with its file" in found.problems[0]
    assert (found.records, found.verified) == (13, 13)


def test_a_batch_removed_from_the_store_is_a_gap(office, morning):
    office.store.write("DELETE FROM batches WHERE batch = 2")
    office.store.write("DELETE FROM records WHERE batch = 2")
    assert broken(office).missing == [("unit-1", 4, 7)]


def test_two_records_exchanged_are_found(office, morning):
    statement, raws, _ = take_apart(office.store.file("unit-1", 1))
    replace(office.store, "unit-1", 1, make_file(statement, pack([raws[0], raws[2], raws[1]])))
    assert any("not those of batch 1's root" in each for each in broken(office).problems)


def test_a_record_without_its_batch_is_not_verified(office, morning):
    office.store.write("DELETE FROM batches WHERE batch = 3")
    found = broken(office)
    assert (found.records, found.verified) == (14, 7)


def test_a_batch_of_another_history_is_found(office, morning):
    """All signatures right, the chain between two batches wrong."""
    other = Terminal()
    other.purchase("A1", fen=1)
    other.add(DECLINED, {1: "A2", 2: "clerk", 22: 5, 23: 0, 24: 0, 36: 108})
    raw = other.batch()
    statement = take_apart(raw).statement
    office.store.write(
        "UPDATE batches SET file = ?, file_digest = ?, digest = ?, head = ? WHERE batch = 1",
        *(raw, digest_of(raw), digest_of(statement), other.records[-1].digest),
    )
    found = broken(office)
    assert found.verified == 14
    assert "unit-1: batch 2: batch 2 was not sealed after this batch 1" in found.problems


def test_a_missing_batch_is_a_gap_until_it_comes(office):
    terminal = Terminal()
    terminal.purchase("A1")
    first = terminal.batch()
    terminal.purchase("A2", serial=2)
    take(office, terminal, 2, terminal.batch())
    assert broken(office).missing == [("unit-1", 1, 2)]
    take(office, terminal, 1, first)
    assert check(office).is_whole


def test_declared_damage_is_damage_and_no_gap(office):
    terminal = Terminal()
    for serial in range(1, 4):
        terminal.purchase(f"A{serial}", serial=serial)
    terminal.add(DAMAGE, {58: 3, 59: 4, 50: "flipped byte"})
    take(office, terminal, 1, terminal.batch(damaged=((3, 4),)))
    result = check(office).to_json()
    assert (result["damaged"], result["gaps"], result["ok"]) == (2, 0, False)
    assert result["declared_damaged"] == [["unit-1", 3, 4]]
    assert result["verified"] == result["records"] == 5


def test_damage_to_what_the_office_already_holds_loses_nothing(office):
    terminal = Terminal()
    terminal.purchase("A1")
    take(office, terminal, 1, terminal.batch())
    terminal.add(DAMAGE, {58: 1, 59: 2, 50: "flipped byte"})
    take(office, terminal, 2, terminal.batch())
    assert check(office).is_whole


def test_a_purchase_done_twice_is_a_duplicate(office, morning):
    other = Terminal("unit-2", seed=2)
    other.purchase("B1", card=1, serial=1)
    take(office, other, 1, other.batch())
    assert broken(office).duplicates == [("unit-2", 2)]


def test_an_impossible_life_of_a_purchase_is_found(office):
    """VOID after DONE: signed and chained, and still wrong."""
    terminal = Terminal()
    intent = terminal.purchase("A1")
    terminal.add(VOID, {30: intent, 36: 501})
    terminal.add(2, done_body(99))
    take(office, terminal, 1, terminal.batch())
    assert broken(office).problems == [
        "unit-1: record 3, purchase 1: VOID may not follow DONE",
        "unit-1: record 4, purchase 99: DONE may not follow no INTENT",
    ]


_RANGES = st.lists(
    st.tuples(st.integers(1, 30), st.integers(0, 8)).map(lambda r: (r[0], r[0] + r[1])), max_size=5
)


@given(_RANGES, _RANGES)
def test_subtract_is_that_of_sets(ranges, taken):
    def numbers(some):
        return {n for first, last in some for n in range(first, last + 1)}

    assert numbers(subtract(ranges, taken)) == numbers(ranges) - numbers(taken)


def test_it_says_how_far_it_is(office, monkeypatch):
    monkeypatch.setattr("office.check.PROGRESS_RECORDS", 2)
    terminal = Terminal()
    for card in range(1, 4):
        terminal.purchase(f"A{card}", card=card)
        take(office, terminal, card, terminal.batch())
    told = []
    assert check(office, lambda done, of: told.append((done, of))).is_whole
    assert told == [(2, 6), (4, 6), (6, 6)]
