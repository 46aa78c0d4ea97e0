"""Batches, signed files, enrolment."""

from __future__ import annotations

import os

import pytest
from journal_maker import (
    START_MS,
    TEST_DEVICE_KEY,
    TEST_OFFICE_KEY,
    UNIT,
    open_journal,
    purchase,
    receipt_for,
)

from firmware.journal import batch, cose, kinds, merkle, packing, record, spool, statement
from firmware.journal.batch import parse_batch, put_out, seal, take_apart
from firmware.journal.cose import Ed25519Signer
from firmware.journal.enrolment import EnrolmentError, make_enrolment, verify_enrolment
from firmware.journal.kinds import KIND_TAMPER
from firmware.journal.receipt import accept_receipt
from firmware.journal.signedfile import SignedFileError, make_signed_file, signed_file
from firmware.journal.statement import BatchError

DEVICE = TEST_DEVICE_KEY.public_key
OFFICE = TEST_OFFICE_KEY.public_key
STRANGER = Ed25519Signer(b"an invented stranger's key, 32 B")
TAMPER = {kinds.KEY_DETAIL: "the case was opened"}


@pytest.fixture
def journal(tmp_path):
    opened = open_journal(tmp_path)
    for turn in range(4):
        purchase(opened, f"order-{turn}")
    yield opened
    opened.close()


# --- sealing ---


def test_batches_cover_every_record_once(journal):
    seen, previous = [], bytes(32)
    for number in (1, 2, 3):
        sealed = seal(journal, max_records=5)
        contents = parse_batch(sealed.raw, DEVICE)
        assert contents.statement == sealed.statement
        assert (sealed.number, contents.statement.previous) == (number, previous)
        previous = sealed.statement.digest
        seen += contents.records
    assert seal(journal) is None
    assert [each.number for each in seen] == list(range(1, 13))
    assert seen == journal.records()


def test_a_batch_is_bounded(journal):
    for _ in range(1000):
        journal.append(KIND_TAMPER, TAMPER, ride=True)
    sealed = seal(journal, max_records=5000)
    assert sealed.statement.last == batch.MAX_RECORDS
    assert 1000 * record.MAX_RECORD + 10_000 < packing.MAX_UNPACKED < batch.MAX_BATCH


def test_a_sealed_batch_lies_in_out_until_its_receipt_came(journal, tmp_path):
    sealed = seal(journal)
    assert put_out(journal) == [1]
    path = spool.batch_path(tmp_path, 1)
    assert path.name == "00000001.batch"
    assert path.read_bytes() == sealed.raw
    assert put_out(journal) == []
    accept_receipt(journal, receipt_for(sealed), OFFICE)
    assert spool.batches(tmp_path) == []
    assert put_out(journal) == []


def test_a_batch_is_built_again_byte_for_byte(journal, tmp_path):
    sealed = seal(journal)
    put_out(journal)
    spool.batch_path(tmp_path, 1).unlink()
    purchase(journal, "order-later")
    journal.close()
    again = open_journal(tmp_path)
    assert put_out(again) == [1]
    assert spool.batch_path(tmp_path, 1).read_bytes() == sealed.raw
    again.close()


def test_a_batch_over_two_device_keys_needs_both(journal, tmp_path):
    journal.close()
    again = open_journal(tmp_path, signer=STRANGER)
    again.append(KIND_TAMPER, TAMPER)
    sealed = seal(again)
    assert len(parse_batch(sealed.raw, STRANGER.public_key, DEVICE).records) == 13
    with pytest.raises(BatchError, match="unknown key"):
        parse_batch(sealed.raw, STRANGER.public_key)
    assert put_out(again) == [1]
    again.close()


# --- what the office refuses ---


def rebuilt(sealed, change=None, change_records=None, signer=TEST_DEVICE_KEY) -> bytes:
    """The batch with another statement or other records and their root, signed again."""
    parts = take_apart(sealed.raw)
    raws = change_records(parts.raws) if change_records else parts.raws
    payload = cose.decode(cose.peek1(parts.statement).payload)
    payload[5] = merkle.root(list(map(merkle.leaf, raws)))
    payload |= change or {}
    signed = cose.sign1(cose.encode(payload), signer, statement.CONTENT_TYPE)
    return batch.make_file(signed, packing.pack(raws))


RECORDS = {
    "one is missing": (lambda raws: raws[:3] + raws[4:], "does not hold the records"),
    "the last is missing": (lambda raws: raws[:-1], "does not hold the records"),
    "one comes twice": (lambda raws: raws[:3] + raws[2:], "more records"),
    "one takes the place of another": (lambda raws: raws[:3] + raws[2:3] + raws[4:], "hold"),
    "two changed places": (lambda raws: [raws[1], raws[0], *raws[2:]], "hold"),
    "none": (lambda raws: [], "heads"),
    "a byte flipped": (
        lambda raws: [raws[0][:-1] + bytes([raws[0][-1] ^ 1]), *raws[1:]],
        "signature",
    ),
}


@pytest.mark.parametrize("name", RECORDS)
def test_other_records_than_the_header_covers_are_refused(journal, name):
    change, message = RECORDS[name]
    with pytest.raises(BatchError, match=message):
        parse_batch(rebuilt(seal(journal), change_records=change), DEVICE)


def test_other_records_than_those_of_the_root_are_refused(journal):
    """Each well signed, all numbers there, the chain right: the statement is of another past."""
    sealed = seal(journal)
    raws = take_apart(sealed.raw).raws
    other = again(parse_batch(sealed.raw, DEVICE).records[-1], boot=9)
    changed = batch.make_file(sealed.statement.raw, packing.pack([*raws[:-1], other]))
    for read in (
        lambda: parse_batch(changed, DEVICE),
        lambda: batch.records_of(batch.open_file(changed)),
    ):
        with pytest.raises(BatchError, match="root"):
            read()


STATEMENTS = {
    "another unit": {1: "other"},
    "batch 0": {2: 0},
    "first 0": {3: 0},
    "first after last": {3: 13},
    "last beyond the records": {4: 13},
    "more numbers than any batch": {4: 1 << 40},
    "another root": {5: bytes(32)},
    "a short root": {5: bytes(31)},
    "text for a number": {2: "1"},
    "true for a number": {7: True},
    "a time before 1970": {7: -1},
    "damage that is there": {8: [[3, 3]]},
    "damage at the end": {8: [[12, 12]]},
    "damage outside": {8: [[13, 14]]},
    "damage backwards": {8: [[5, 4]]},
    "damage out of order": {8: [[5, 5], [3, 3]]},
    "damage of another shape": {8: [[1]]},
}


@pytest.mark.parametrize("name", STATEMENTS)
def test_a_statement_that_does_not_fit_is_refused(journal, name):
    with pytest.raises(BatchError):
        parse_batch(rebuilt(seal(journal), STATEMENTS[name]), DEVICE)


def test_a_statement_with_a_key_of_a_later_release_is_read(journal):
    assert parse_batch(rebuilt(seal(journal), {99: "later"}), DEVICE).records


def again(one, **changed) -> bytes:
    """The record with other fields, signed again."""
    fields = {
        "unit": UNIT, "number": one.number, "boot": 1, "time_ms": one.time_ms, "trust": 1,
        "profile": 1, "previous": one.previous, "signer": TEST_DEVICE_KEY,
    }  # fmt: skip
    return record.build(one.kind, one.body, **{**fields, **changed}).raw


def test_a_chain_that_does_not_link_is_refused(journal):
    """Each record well signed, but one written on top of another past."""
    sealed = seal(journal)
    records = parse_batch(sealed.raw, DEVICE).records
    other = again(records[2], previous=bytes(32))
    with pytest.raises(BatchError, match="record 3 does not follow record 2"):
        parse_batch(
            rebuilt(sealed, change_records=lambda raws: [*raws[:2], other, *raws[3:]]), DEVICE
        )


def test_a_batch_of_a_stranger_is_refused(journal):
    with pytest.raises(BatchError, match="another key"):
        parse_batch(rebuilt(seal(journal), signer=STRANGER), DEVICE)


@pytest.mark.parametrize(
    "raw", ["", "80", "824080", "83408000", "820000", "8401404040", "84014000"]
)
def test_garbage_is_no_batch(raw):
    with pytest.raises(BatchError):
        parse_batch(bytes.fromhex(raw), DEVICE)


def test_a_file_larger_than_any_batch_is_not_read():
    with pytest.raises(BatchError, match="more than"):
        parse_batch(bytes(batch.MAX_BATCH + 1), DEVICE)


def test_what_the_office_reads_at_once_is_what_a_verified_batch_holds(journal):
    sealed = seal(journal)
    opened, contents = batch.open_file(sealed.raw), parse_batch(sealed.raw, DEVICE)
    found = batch.records_of(opened)
    assert opened.statement == contents.statement
    assert found.raws == [each.raw for each in contents.records]
    assert found.digests == [each.digest for each in contents.records]


# --- signed files and enrolment ---


def test_a_signed_file_is_read_with_the_office_key_only():
    body = {1: [[bytes(16), "A00000001"]], 2: [], 3: []}
    raw = make_signed_file(
        what="stoplist", number=4, issued_ms=START_MS, body=body, signer=TEST_OFFICE_KEY
    )
    found = signed_file(raw, OFFICE)
    assert (found.what, found.number, found.issued_ms, found.body) == (
        "stoplist",
        4,
        START_MS,
        body,
    )
    assert found.digest == record.digest_of(raw)
    with pytest.raises(SignedFileError, match="another key"):
        signed_file(raw, STRANGER.public_key)
    with pytest.raises(SignedFileError):
        signed_file(raw[:-1], OFFICE)
    shapeless = cose.sign1(cose.encode({1: "stoplist"}), TEST_OFFICE_KEY, found_type(raw))
    with pytest.raises(SignedFileError, match="lacks a key"):
        signed_file(shapeless, OFFICE)


def found_type(raw: bytes) -> str:
    return cose.peek1(raw).content_type


def test_a_stop_list_of_a_whole_province_fits():
    cards = [[number.to_bytes(16, "big"), f"A{number:08d}"] for number in range(100_000)]
    raw = make_signed_file(
        what="stoplist", number=1, issued_ms=1, body={1: cards}, signer=TEST_OFFICE_KEY
    )
    assert len(signed_file(raw, OFFICE).body[1]) == 100_000


def test_an_enrolment_proves_that_its_key_signed_it():
    raw = make_enrolment(unit=UNIT, region="4401", time_ms=START_MS, signer=TEST_DEVICE_KEY)
    found = verify_enrolment(raw)
    assert (found.unit, found.public_key, found.region) == (UNIT, DEVICE, "4401")
    payload = cose.encode({1: UNIT, 2: DEVICE, 3: "4401", 4: START_MS})
    for forged in (
        cose.sign1(payload, STRANGER, found_type(raw)),
        cose.sign1(cose.encode({1: UNIT}), TEST_DEVICE_KEY, found_type(raw)),
        raw[:-1] + bytes([raw[-1] ^ 1]),
        raw + bytes(5000),
        b"",
    ):
        with pytest.raises(EnrolmentError):
            verify_enrolment(forged)


# --- the folders ---


def test_files_are_written_whole_or_not_at_all(tmp_path, monkeypatch):
    """Architecture: "temporary file, fsync, rename, fsync of the folder"."""
    calls = []
    for name in ("fsync", "replace"):
        real = getattr(os, name)
        monkeypatch.setattr(
            os, name, lambda *args, name=name, real=real: (calls.append(name), real(*args))
        )
    spool.write_atomic(tmp_path / "a", b"one")
    assert calls == ["fsync", "replace", "fsync"]
    assert os.listdir(tmp_path) == ["a"]

    def torn(*_):
        raise OSError("cut")

    monkeypatch.setattr(os, "replace", torn)
    with pytest.raises(OSError, match="cut"):
        spool.write_atomic(tmp_path / "a", b"two")
    assert os.listdir(tmp_path) == ["a"]
    assert (tmp_path / "a").read_bytes() == b"one"


def test_names_sort_as_numbers_and_strangers_are_passed_over(tmp_path):
    spool.make_folders(tmp_path)
    for number in (2, 10, 1, 123456789):
        spool.batch_path(tmp_path, number).write_bytes(b"")
        spool.receipt_path(tmp_path, number).write_bytes(b"")
    for name in (".00000003.batch.1.new", "x.batch", "٣.batch", "4.other"):
        (tmp_path / "out" / name).write_bytes(b"")
    assert [number for number, _ in spool.batches(tmp_path)] == [1, 2, 10, 123456789]
    assert [number for number, _ in spool.receipts(tmp_path)] == [1, 2, 10, 123456789]


@pytest.mark.parametrize("what", ["", "../x", "a/b", "a.b", "停", "a\0"])
def test_a_signed_file_has_a_plain_name(tmp_path, what):
    with pytest.raises(ValueError, match="ASCII"):
        spool.signed_file_path(tmp_path, what)


def test_a_spoilt_file_in_out_is_written_again_at_a_start(journal):
    sealed = seal(journal)
    put_out(journal)
    path = spool.batch_path(journal.data_dir, sealed.number)
    path.write_bytes(path.read_bytes()[:-1])
    assert put_out(journal) == []
    assert put_out(journal, check=True) == [sealed.number]
    assert path.read_bytes() == sealed.raw


@pytest.mark.parametrize("raw", [5, None, "text", b""])
def test_a_batch_that_cannot_be_built_again_holds_up_no_other(journal, tmp_path, raw):
    """A damaged page may answer anything in the place of a record."""
    for _ in range(2):
        seal(journal, 3)
    journal._writer._connection.execute("PRAGMA writable_schema = ON")
    journal._writer._connection.execute(
        "UPDATE sqlite_schema SET sql = replace(sql, 'raw BLOB NOT NULL', 'raw BLOB')"
    )
    journal._writer._connection.execute("PRAGMA writable_schema = RESET")
    journal.write("UPDATE records SET raw = ? WHERE number = 2", raw)
    assert put_out(journal, check=True) == [2]
