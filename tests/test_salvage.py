"""A damaged database file: its records are carried over, no number comes twice, nothing is deleted
(issue, bad input: "a journal file with a flipped byte ... nothing lost")."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest
from journal_maker import (
    TEST_DEVICE_KEY,
    TEST_OFFICE_KEY,
    intent_body,
    open_journal,
    purchase,
    receipt_for,
    start_body,
)

from firmware.journal import batch, kinds, salvage
from firmware.journal.cose import Ed25519Signer
from firmware.journal.kinds import KIND_INTENT, KIND_START, KIND_TAMPER
from firmware.journal.receipt import accept_receipt
from firmware.journal.schema import JournalCorruptError, JournalError
from firmware.journal.store import Journal

TAMPER = {kinds.KEY_DETAIL: "the case was opened"}
PAGE = 4096


def filled(folder: Path, purchases: int = 30):
    """A closed journal; its records."""
    journal = open_journal(folder)
    journal.append(KIND_START, start_body(TEST_DEVICE_KEY.public_key))
    for turn in range(purchases):
        purchase(journal, f"order-{turn}", card=turn)
    journal.append(KIND_INTENT, intent_body("order-open", card=999))
    journal.close()
    again = open_journal(folder)
    records = again.records(limit=1000)
    again.close()
    return records


def overwrite(path: Path, at: int, data: bytes) -> None:
    with open(path, "r+b") as handle:
        handle.seek(at)
        handle.write(data)


def check_carried_over(folder: Path, before: list, lost: set[int] = frozenset()):
    journal = open_journal(folder)
    kept = {each.number: each for each in journal.records(limit=1000)}
    for each in before:
        if each.number not in lost:
            assert kept[each.number] == each
    highest = before[-1].number
    new = [number for number in kept if number > highest]
    assert min(new) > highest + 1  # above whatever may have been in use
    covered = {n for a, b in journal.damaged_ranges() for n in range(a, b + 1)}
    assert covered >= lost | set(range(highest + 1, min(new)))
    assert covered.isdisjoint(kept)
    assert sorted(covered | set(kept)) == list(range(1, journal.head()[0] + 1))
    return journal


@pytest.mark.parametrize("at", [0, 16, 18, 20, 100, 103, 108])
def test_a_damaged_first_page(tmp_path, at):
    """The magic, page size, versions, encoding, the schema's own page header."""
    before = filled(tmp_path)
    overwrite(tmp_path / "journal.db", at, b"\xff\xff\xff\xff")
    damaged = (tmp_path / "journal.db").read_bytes()
    journal = check_carried_over(tmp_path, before)
    (kept,) = tmp_path.glob("journal.db.damaged-*")
    assert kept.read_bytes()[:PAGE] == damaged[:PAGE]
    assert [each.body[kinds.KEY_ORDER_NO] for each in journal.open_intents()] == ["order-open"]
    assert [each.kind_name for each in journal.by_order("order-7")] == ["INTENT", "DONE", "TOTALS"]
    assert journal.payment_state(before[1].number) == kinds.KIND_DONE
    assert journal.boot > before[-1].boot
    journal.close()


def test_a_version_that_nobody_knows_is_left_alone_and_says_what_to_do(tmp_path):
    """It may be damage, it may be a later release's: a person decides."""
    before = filled(tmp_path)
    overwrite(tmp_path / "journal.db", 60, b"\x00\x00\x00\x09")
    with pytest.raises(JournalError, match="rename it to journal"):
        open_journal(tmp_path)
    (tmp_path / "journal.db").rename(tmp_path / "journal.db.damaged-header")
    check_carried_over(tmp_path, before).close()


def test_wiped_pages_lose_only_their_own_records(tmp_path):
    before = filled(tmp_path)
    path = tmp_path / "journal.db"
    data = path.read_bytes()
    (page,) = {data.find(each.raw) // PAGE for each in before if each.number == 20}
    lost = {each.number for each in before if data.find(each.raw) // PAGE == page}
    assert 3 < len(lost) < 30
    overwrite(path, page * PAGE, bytes(PAGE))
    journal = check_carried_over(tmp_path, before, lost)
    journal.close()


def test_sealed_batches_in_out_give_back_what_the_database_lost(tmp_path):
    before = filled(tmp_path)
    journal = open_journal(tmp_path)
    first = batch.seal(journal, max_records=20)
    batch.put_out(journal)
    journal.close()
    out = tmp_path / "out" / "00000001.batch"
    sealed_bytes = out.read_bytes()
    overwrite(tmp_path / "journal.db", 0, bytes((tmp_path / "journal.db").stat().st_size))
    lost = {each.number for each in before} - set(range(1, 21))
    again = check_carried_over(tmp_path, before, lost)
    assert batch.put_out(again) == []
    assert out.read_bytes() == sealed_bytes
    out.unlink()
    assert batch.put_out(again) == [1]
    assert out.read_bytes() == sealed_bytes
    accept_receipt(again, receipt_for(first), TEST_OFFICE_KEY.public_key)
    again.close()


def test_batches_go_on_above_every_number_ever_used(tmp_path):
    filled(tmp_path)
    journal = open_journal(tmp_path)
    while sealed := batch.seal(journal, max_records=10):
        batch.put_out(journal)
        accept_receipt(journal, receipt_for(sealed), TEST_OFFICE_KEY.public_key)
        last = sealed
    journal.close()
    overwrite(tmp_path / "journal.db", 0, bytes(PAGE))
    again = open_journal(tmp_path)
    sealed = batch.seal(again)
    assert sealed.number > last.number + 1
    contents = batch.parse_batch(sealed.raw, TEST_DEVICE_KEY.public_key)
    assert contents.statement.previous == last.statement.digest
    assert contents.statement.first == last.statement.last + 1
    assert contents.statement.damaged
    again.close()


def test_a_database_that_is_gone_starts_above_the_ceiling(tmp_path):
    before = filled(tmp_path)
    (tmp_path / "journal.db").unlink()
    journal = check_carried_over(tmp_path, before, {each.number for each in before})
    assert journal.append(KIND_TAMPER, TAMPER).number > before[-1].number
    journal.close()


def test_an_old_copy_put_back_does_not_use_numbers_twice(tmp_path):
    filled(tmp_path, 5)
    shutil.copy(tmp_path / "journal.db", tmp_path / "old")
    journal = open_journal(tmp_path)
    for turn in range(300):
        purchase(journal, f"later-{turn}")
    used = journal.head()[0]
    journal.close()
    shutil.copy(tmp_path / "old", tmp_path / "journal.db")
    again = open_journal(tmp_path)
    assert again.append(KIND_TAMPER, TAMPER).number > used
    again.close()


def test_the_old_file_is_never_overwritten(tmp_path):
    filled(tmp_path, 2)
    for count in (1, 2, 3):
        overwrite(tmp_path / "journal.db", 0, bytes(PAGE))
        open_journal(tmp_path).close()
        aside = [p for p in tmp_path.glob("journal.db.damaged-*") if not p.name.endswith("-wal")]
        assert len(aside) == count


def test_a_rebuild_cut_short_is_done_again(tmp_path):
    """After the rename, before the new file is in its place."""
    before = filled(tmp_path)
    (tmp_path / "journal.db").rename(tmp_path / "journal.db.damaged-20260101T000000Z")
    (tmp_path / "journal.db.new").write_bytes(b"half of a new one")
    check_carried_over(tmp_path, before).close()


@pytest.mark.parametrize("cut_at", [1, 2, 3])
def test_a_cut_while_the_old_file_is_moved_aside_loses_nothing(tmp_path, monkeypatch, cut_at):
    """Records that are in the log alone belong to the file: it must not be opened without them."""
    before = filled(tmp_path, 5)
    journal = open_journal(tmp_path)
    journal.checkpoint()
    newest = journal.append(KIND_TAMPER, TAMPER)
    copy = tmp_path / "copy"
    copy.mkdir()
    for name in ("journal.db", "journal.db-wal", "journal.ceiling"):
        shutil.copy(tmp_path / name, copy / name)
    settings = journal._settings
    journal.close()
    real, count = Path.rename, 0

    def rename(path, target):
        nonlocal count
        count += 1
        if count == cut_at:
            raise KeyboardInterrupt
        return real(path, target)

    monkeypatch.setattr(Path, "rename", rename)
    with pytest.raises(KeyboardInterrupt):
        salvage.rebuild(copy / "journal.db", "a test", lambda path: Journal(path, settings))
    monkeypatch.undo()
    again = open_journal(copy)
    kept = {each.number: each for each in again.records(limit=1000)}
    assert kept[newest.number] == newest
    assert [kept[each.number] for each in before] == before
    again.close()


def test_records_of_an_earlier_device_key_are_carried_over(tmp_path):
    before = filled(tmp_path, 3)
    new_key = Ed25519Signer(b"another invented key of 32 bytes")
    journal = open_journal(tmp_path, signer=new_key)
    journal.append(KIND_START, start_body(new_key.public_key))
    journal.close()
    overwrite(tmp_path / "journal.db", 0, bytes(PAGE))
    again = open_journal(tmp_path, signer=new_key)
    assert [each.number for each in again.records(limit=len(before))] == [
        each.number for each in before
    ]
    again.close()


def test_a_file_that_breaks_while_running_is_rebuilt_by_the_scrub(tmp_path):
    before = filled(tmp_path)
    journal = open_journal(tmp_path)
    journal.append(KIND_TAMPER, TAMPER, ride=True)
    rows = journal.rows("SELECT rootpage FROM sqlite_master WHERE name = 'records'")
    root = (rows[0][0] - 1) * PAGE
    overwrite(tmp_path / "journal.db", root, random.Random(1).randbytes(PAGE))
    assert not list(tmp_path.glob("journal.db.damaged-*"))
    journal.scrub(10)
    assert list(tmp_path.glob("journal.db.damaged-*"))
    made = journal.append(KIND_TAMPER, TAMPER)
    assert made.number > before[-1].number + 2
    assert journal.get(before[-1].number + 1).kind == KIND_TAMPER  # what rode was written first
    journal.close()


def test_what_rides_when_the_file_breaks_is_written_to_the_new_one(tmp_path, monkeypatch):
    before = filled(tmp_path, 2)
    journal = open_journal(tmp_path)
    rode = journal.append(KIND_TAMPER, TAMPER, ride=True)

    def malformed(_):
        raise JournalCorruptError("database disk image is malformed")

    monkeypatch.setattr(journal._writer, "transact", malformed)
    with pytest.raises(JournalError):
        journal.append(KIND_TAMPER, TAMPER)
    journal.scrub(10)
    assert not journal.is_corrupt
    assert journal.get(journal.head()[0]).body == rode.body
    assert journal.head()[0] > before[-1].number + 1
    assert journal.records(limit=len(before)) == before
    journal.close()


# --- the log ---


def unclean(folder: Path, target: Path, purchases: int) -> list:
    """Copies of the files of a journal that is still open, as after a power cut; its records."""
    journal = open_journal(folder)
    journal.checkpoint()
    for turn in range(purchases):
        purchase(journal, f"order-{turn}")
    journal.flush()
    target.mkdir()
    for name in ("journal.db", "journal.db-wal", "journal.ceiling"):
        shutil.copy(folder / name, target / name)
    records = journal.records(limit=1000)
    journal.close()
    return records


@pytest.mark.parametrize("part", [0.0, 0.2, 0.5, 0.8, 0.999])
def test_a_flipped_byte_in_the_log_loses_nothing(tmp_path, part):
    """SQLite drops the log from a damaged frame on; its records are taken from its bytes."""
    target = tmp_path / "after"
    before = unclean(tmp_path / "unit", target, 20)
    wal = target / "journal.db-wal"
    at = int(wal.stat().st_size * part)
    overwrite(wal, at, bytes([wal.read_bytes()[at] ^ 0x20]))
    journal = open_journal(target)
    assert journal.records(limit=1000)[: len(before)] == before
    assert journal.damaged_ranges() == []
    assert [each.kind_name for each in journal.by_order("order-19")] == ["INTENT", "DONE", "TOTALS"]
    journal.close()


def test_every_frame_of_the_log_may_be_the_damaged_one(tmp_path):
    target = tmp_path / "after"
    before = unclean(tmp_path / "unit", target, 2)
    whole = (target / "journal.db-wal").read_bytes()
    for at in range(32 + 500, len(whole), 4096 + 24):
        folder = tmp_path / f"cut-{at}"
        shutil.copytree(target, folder)
        overwrite(folder / "journal.db-wal", at, bytes([whole[at] ^ 0xFF]))
        journal = open_journal(folder)
        assert journal.records(limit=1000)[: len(before)] == before
        journal.close()
        shutil.rmtree(folder)
