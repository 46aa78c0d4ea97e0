"""Intake: stored once, receipted after, refused with a reason, nothing lost."""

import json
import random

import pytest

from firmware.journal import merkle
from firmware.journal.batch import take_apart
from firmware.journal.kinds import KIND_SHIFT_OPEN
from firmware.journal.receipt import parse_receipt
from office import folder, fork, unitstate
from office.books import Duplicate
from office.check import check
from office.errors import ROWS, OfficeError, Refused
from office.folder import Folder
from tests.office_rig import T0_MS, Terminal, done_body, enrol, intent_body, made_office, take

NOW_MS = T0_MS + 60_000


@pytest.fixture(params=["sqlite", "postgresql"])
def office(request, tmp_path):
    """Every rule holds in both databases."""
    office = made_office(tmp_path, request.param)
    yield office
    office.close()


@pytest.fixture
def terminal(office):
    terminal = Terminal()
    enrol(office, terminal)
    terminal.purchase("A1")
    return terminal


def stored(office):
    return [
        office.store.rows(f"SELECT count(*) FROM {table}")[0][0]
        for table in ("batches", "records", "payments")
    ]


def refusal(office, unit, raw):
    """The number of the error; the store is unchanged and the file kept aside with its reason."""
    before = stored(office)
    with pytest.raises(Refused) as caught:
        take(office, unit, raw)
    assert stored(office) == before
    kept = {path.read_bytes(): path for path in office.refused.glob("*.batch")}
    reason = json.loads(kept[raw].with_suffix(".json").read_text())
    assert (reason["error"], reason["unit"]) == (caught.value.number, unit)
    return caught.value.number


def test_a_batch_is_stored_and_its_receipt_verifies(office, terminal):
    raw = terminal.batch()
    taken = take(office, "unit-1", raw)
    assert (taken.records, taken.is_new, taken.duplicates) == (2, True, [])
    statement = take_apart(raw).statement
    receipt = parse_receipt(taken.receipt, office.signer.public_key, statement)
    assert (receipt.unit, receipt.batch, receipt.size, receipt.index) == ("unit-1", 1, 1, 0)
    assert (receipt.time_ms, receipt.issuer) == (NOW_MS, "Office 1")
    assert receipt.root(statement) == merkle.leaf(statement)
    assert [office.store.record("unit-1", n) for n in (1, 2)] == [r.raw for r in terminal.records]


def test_a_batch_that_comes_again_gets_the_same_receipt_and_is_stored_once(office, terminal):
    raw = terminal.batch()
    first = take(office, "unit-1", raw)
    again = take(office, "unit-1", raw, NOW_MS + 3_600_000)
    assert again.receipt == first.receipt
    assert not again.is_new
    assert stored(office) == [1, 2, 1]


def test_a_power_cut_before_the_commit_stores_nothing(office, terminal, monkeypatch):
    """No receipt without the records, no records without the receipt."""
    raw = terminal.batch()

    class PowerCut(Exception):
        pass

    def cut(*_):
        raise PowerCut

    monkeypatch.setattr(unitstate, "closed", cut)  # the last step inside the transaction
    with pytest.raises(PowerCut):
        take(office, "unit-1", raw)
    assert stored(office) == [0, 0, 0]
    monkeypatch.undo()
    assert take(office, "unit-1", raw).is_new


def test_a_flipped_byte_anywhere_is_refused(office, terminal):
    raw = terminal.batch()
    rnd = random.Random(1)
    for _ in range(40):
        spoilt = bytearray(raw)
        spoilt[rnd.randrange(len(raw))] ^= 1 << rnd.randrange(8)
        assert refusal(office, "unit-1", bytes(spoilt)) == 802


def test_an_unknown_unit_is_refused(office, terminal):
    stranger = Terminal("unit-9", seed=9)
    stranger.purchase("Z1")
    assert refusal(office, "unit-9", stranger.batch()) == 801


def test_another_key_is_refused(office, terminal):
    forger = Terminal("unit-1", seed=9)
    forger.purchase("A1")
    assert refusal(office, "unit-1", forger.batch()) == 802


def test_a_batch_of_another_enrolled_unit_is_refused(office, terminal):
    """Both units share a key only in this test: the unit's name is checked on its own."""
    other = Terminal("unit-2", seed=1)
    other.purchase("B1")
    assert refusal(office, "unit-1", other.batch()) == 806


def test_a_link_that_knows_no_unit_goes_by_the_statement(office, terminal):
    assert take(office, None, terminal.batch()).unit == "unit-1"
    assert refusal(office, None, b"no batch at all") == 801


def test_another_statement_of_a_number_already_stored_is_refused(office, terminal):
    """The same records sealed once more: what is stored stays, what came is kept."""
    take(office, "unit-1", terminal.batch())
    other = Terminal()
    other.purchase("A1")
    assert refusal(office, "unit-1", other.batch(time=T0_MS + 1)) == 805
    assert fork.noted(office.store) == []


def test_a_forked_terminal_is_found_and_both_versions_are_kept(office, terminal):
    """A cloned storage card: one number, two sound records, two sound batches."""
    take(office, "unit-1", terminal.batch())
    clone = Terminal()
    clone.purchase("A1", fen=99)
    raw = clone.batch()
    assert refusal(office, "unit-1", raw) == 809
    assert refusal(office, "unit-1", raw) == 809
    assert office.store.record("unit-1", 1) == terminal.records[0].raw
    assert fork.noted(office.store) == [("unit-1", 1, "record 1")]
    assert not check(office).is_whole


def test_a_fork_is_found_under_another_batch_number_too(office, terminal):
    terminal.purchase("A2", serial=2)
    take(office, "unit-1", terminal.batch())
    clone = Terminal()
    clone.purchase("A1")
    clone.batch()
    clone.purchase("A2", serial=3)
    assert refusal(office, "unit-1", clone.batch()) == 809
    assert fork.noted(office.store) == [("unit-1", 2, "record 3")]


def second(terminal, **changed):
    first = terminal.batch()
    terminal.purchase("A2", serial=2)
    return first, terminal.batch(**changed)


def test_two_batches_in_a_row(office, terminal):
    for raw in second(terminal):
        take(office, "unit-1", raw)
    assert stored(office) == [2, 4, 2]


def test_a_batch_sealed_after_another_one_is_refused(office, terminal):
    first, two = second(terminal, previous=bytes(32))
    take(office, "unit-1", first)
    assert refusal(office, "unit-1", two) == 803


def test_records_that_do_not_follow_the_stored_ones_are_refused(office, terminal):
    """The same numbers and header chain, but the unit's history before them was another one."""
    first, _ = second(terminal)
    take(office, "unit-1", first)
    other = Terminal()
    other.purchase("A1", fen=99)
    other.batch()
    other.purchase("A2", serial=2)
    other.previous = office.store.batch("unit-1", 1).digest
    assert refusal(office, "unit-1", other.batch()) == 803


def test_overlapping_numbers_are_refused(office, terminal):
    """Batch 2 has not come; batch 3 claims records of batch 1."""
    take(office, "unit-1", terminal.batch())
    other = Terminal()
    other.purchase("A1")
    assert refusal(office, "unit-1", other.batch(batch=3)) == 804


def test_a_record_left_out_between_two_batches_is_refused(office, terminal):
    """Batch 2 follows batch 1 by its header, but record 3 is in neither."""
    take(office, "unit-1", terminal.batch())
    terminal.purchase("A2", serial=2)
    terminal.skip(1)
    assert refusal(office, "unit-1", terminal.batch()) == 804


def test_batch_one_must_begin_the_unit(office, terminal):
    assert refusal(office, "unit-1", terminal.batch(previous=b"x" * 32)) == 803


def test_batch_one_must_begin_with_record_one(office, terminal):
    terminal.skip(1)
    assert refusal(office, "unit-1", terminal.batch()) == 804


def test_record_one_has_none_before_it(office, terminal):
    terminal.records.clear()
    terminal.add(KIND_SHIFT_OPEN, {2: "clerk"}, previous=b"x" * 32)
    assert refusal(office, "unit-1", terminal.batch()) == 803


def test_a_missing_batch_does_not_hold_up_the_next_and_may_come_later(office, terminal):
    first, two = second(terminal)
    take(office, "unit-1", two)
    take(office, "unit-1", first)
    assert stored(office) == [2, 4, 2]


def test_a_late_batch_that_does_not_fit_the_next_is_refused(office, terminal):
    _, two = second(terminal)
    take(office, "unit-1", two)
    other = Terminal()
    other.purchase("A1", fen=99)
    assert refusal(office, "unit-1", other.batch()) == 803


def test_one_purchase_of_a_card_reported_twice(office, terminal):
    """The duplicate test is (card id, purchase serial) over DONE; both stored, both reported."""
    take(office, "unit-1", terminal.batch())
    other = Terminal("unit-2", seed=2)
    enrol(office, other)
    other.add(KIND_SHIFT_OPEN, {2: "clerk"})
    other.purchase("B1", card=1, serial=1)
    other.purchase("B2", card=2, serial=1)
    taken = take(office, "unit-2", other.batch())
    assert taken.duplicates == [Duplicate("unit-2", 3, "unit-1", 2)]
    assert stored(office) == [2, 7, 3]


def test_a_done_before_its_intent_arrives_is_still_compared(office, terminal):
    """The batches came in the wrong order: the INTENT names the card after the DONE was stored."""
    take(office, "unit-1", terminal.batch())
    other = Terminal("unit-2", seed=2)
    enrol(office, other)
    other.add(1, intent_body("B1"))
    first = other.batch()
    other.add(2, done_body(1))
    assert take(office, "unit-2", other.batch()).duplicates == []
    assert len(take(office, "unit-2", first).duplicates) == 1


def test_the_key_file_must_be_the_offices_own(office, tmp_path):
    key = tmp_path / "office" / "office.key"
    assert key.stat().st_mode & 0o777 == 0o600
    assert repr(office.signer).find(key.read_bytes().hex()) < 0
    key.chmod(0o640)
    with pytest.raises(OfficeError) as caught:
        Folder(tmp_path / "office")
    assert caught.value.number == 910


def test_an_office_is_never_made_over_another(office, tmp_path):
    before = (tmp_path / "office" / "office.key").read_bytes()
    with pytest.raises(OfficeError) as caught:
        folder.init(tmp_path / "office", "x")
    assert caught.value.number == 902
    assert (tmp_path / "office" / "office.key").read_bytes() == before


def test_every_error_says_cause_and_next_step_in_two_languages():
    for number, row in ROWS.items():
        lines = OfficeError(number, "detail").lines
        assert lines.count(str(number)) >= 2
        assert all(part and part in lines for part in row)
        assert any("\u4e00" <= each <= "\u9fff" for each in row.next_zh)
