"""`sscoffice check` proves the store whole, and sees each way in which it is not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware.journal import cose
from firmware.journal.batch import take_apart
from office import folder
from office.check import check, subtract
from office.folder import Folder
from office.intake import take_in
from tests.office_rig import T0_MS, Terminal, done_body, intent_body

VOID, SUSPECT, UNCERTAIN, RULED, DECLINED, DAMAGE = 3, 4, 5, 6, 8, 21


@pytest.fixture
def office(tmp_path):
    folder.init(tmp_path / "office", "Office 1")
    office = Folder(tmp_path / "office")
    yield office
    office.close()


def take(office, terminal, number, raw):
    key = terminal.signer.public_key
    office.store.write(
        "INSERT OR IGNORE INTO keys VALUES (?, ?, ?, ?, ?)",
        *(terminal.unit, cose.key_id(key), key, b"", T0_MS),
    )
    return take_in(office, terminal.unit, number, raw, T0_MS)


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


def test_a_whole_store(office, morning):
    result = check(office).to_json()
    assert result == {
        "ok": True, "units": 1, "records": 14, "verified": 14, "gaps": 0, "duplicates": 0,
        "damaged": 0, "open": 1, "refused": 0,
        "purchases": {"done": 2, "void": 1, "declined": 1, "suspect": 1, "uncertain": 1},
        "loads": {"done": 0, "void": 0, "uncertain": 0}, "tac": {"not checked": 3}, "wrong_tac": [],
        "missing": [], "declared_damaged": [], "problems": [],
    }  # fmt: skip


def test_an_empty_store_is_whole(office):
    assert check(office).to_json()["records"] == 0


def broken(office):
    found = check(office)
    assert not found.is_whole
    return found


@pytest.mark.parametrize("number", [1, 3, 4, 9, 14])
def test_a_byte_changed_in_a_stored_record_is_found(office, morning, number):
    raw = bytearray(office.store.record("unit-1", number))
    raw[-1] ^= 1
    office.store.write("UPDATE records SET raw = ? WHERE number = ?", bytes(raw), number)
    found = broken(office)
    assert found.verified == 13
    assert any(f"record {number}: the signature is wrong" in each for each in found.problems)
    assert found.missing == []


def test_a_record_removed_from_the_store_is_a_gap(office, morning):
    office.store.write("DELETE FROM records WHERE number = 5")
    found = broken(office)
    assert found.missing == [("unit-1", 5, 5)]
    assert (found.records, found.verified) == (13, 13)


def test_a_batch_removed_from_the_store_is_a_gap(office, morning):
    office.store.write("DELETE FROM batches WHERE batch = 2")
    office.store.write("DELETE FROM records WHERE batch = 2")
    assert broken(office).missing == [("unit-1", 4, 7)]


def test_two_records_exchanged_are_found(office, morning):
    first, second = (office.store.record("unit-1", n) for n in (2, 3))
    office.store.write("UPDATE records SET raw = ? WHERE number = 2", second)
    office.store.write("UPDATE records SET raw = ? WHERE number = 3", first)
    assert "does not hold the records it covers" in broken(office).problems[0]


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
    parts = take_apart(raw)
    office.store.write("UPDATE batches SET header = ? WHERE batch = 1", parts.statement)
    for number, record in enumerate(parts.raws, 1):
        office.store.write("UPDATE records SET raw = ? WHERE number = ?", record, number)
    found = broken(office)
    assert found.verified == 14
    assert found.problems == ["unit-1: batch 2: batch 2 was not sealed after this batch 1"]


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
