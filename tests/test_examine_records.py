"""The verdict on a batch file, classes 7 to 13: records, root, receipt; and every mutant."""

from __future__ import annotations

import random

import pytest

from firmware.journal import batch, cose, packing
from firmware.journal.batch import take_apart
from firmware.journal.statement import BatchError
from office import packedrecords
from office.examine import examine
from office.knownkeys import KnownKeys, parse
from office.verdict import Verdict
from tests.examine_rig import (
    OFFICE,
    STRANGER,
    file_of,
    keys_of,
    of_a_later_release,
    parts,
    payload_at,
    place,
    remade,
    sealed,
    terminal_with_eight,
)
from tests.office_rig import T0_MS, Terminal
from tests.receipts import receipt_of


@pytest.fixture
def terminal() -> Terminal:
    return terminal_with_eight()


@pytest.fixture
def small() -> Terminal:
    made = Terminal()
    for turn in range(4):
        made.add(19, {50: f"opened {turn}"})
    return made


def test_records_that_are_wrong_by_their_own_contents(small):
    keys = keys_of(small)
    other_unit = sealed(small, remade(small, 2, unit="unit-9"))
    found = examine(other_unit, keys)
    assert (found.why, found.record) == ("record", 3)
    assert parts(other_unit)[1][3][2].startswith(b"\xa9\x01\x66unit-9")
    assert found.offset == payload_at(other_unit, 2) + 2 + 2
    renumbered = sealed(small, remade(small, 2, number=9))
    found = examine(renumbered, keys)
    assert (found.why, found.record) == ("numbers", 3)
    assert found.offset == payload_at(renumbered, 2) + 2 + 2 + 7 + 1


def test_a_record_of_a_stranger_and_one_with_a_spoilt_signature(small):
    keys = keys_of(small)
    strange = sealed(small, remade(small, 1, signer=STRANGER))
    found = examine(strange, keys)
    heads = parts(strange)[1][0]
    at = len(cose.encode([heads[0]])) + 1 + 1 + len(cose.encode(heads[1][0]))
    assert (found.why, found.record, *place(found)) == ("stranger", 2, "packed", at)
    raws = [each.raw for each in small.records]
    raws[1] = raws[1][:-1] + bytes([raws[1][-1] ^ 1])
    spoilt = sealed(small, raws)
    found = examine(spoilt, keys)
    assert (found.why, found.record) == ("record-signature", 2)
    assert found.offset == payload_at(spoilt, 1)


def test_a_record_written_on_another_past(small):
    raws = remade(small, 2, previous=bytes(32))
    found = examine(sealed(small, raws), keys_of(small))
    assert (found.why, found.record) == ("chain", 3)
    packed = cose.encode(parts(sealed(small, raws))[1])
    assert packed[found.offset : found.offset + 4] == b"\x58\x20\x00\x00"


def test_a_wrong_item_behind_the_digest_that_was_left_out_is_found_where_it_stands(small):
    raws = [each.raw for each in small.records]
    payload = cose.decode(cose.parts1(raws[3])[2])
    payload[9] = {50: 7}
    raws[3] = cose.sign1(cose.encode(payload), small.signer, "application/ssc-record+cbor")
    raw = sealed(small, raws)
    found = examine(raw, keys_of(small))
    assert (found.why, found.record) == ("record", 4)
    packed = cose.encode(parts(raw)[1])
    assert packed[found.offset - 3 : found.offset + 1] == b"\xa1\x18\x32\x07"
    assert parts(raw)[1][2] == [0]  # its `previous` was left out


def test_a_record_of_more_than_3072_bytes_is_wrong_before_anything_in_it(small):
    keys = keys_of(small)
    room = 3072 - len(take_apart(of_a_later_release(small, {1: bytes(2000)})).raws[0])
    fits = of_a_later_release(small, {1: bytes(2000 + room)})
    assert len(take_apart(fits).raws[0]) == 3072
    assert examine(fits, keys).is_sound
    over = of_a_later_release(small, {1: bytes(2001 + room), 2: 1 << 63})
    found = examine(over, keys)
    assert (found.why, found.record, found.offset) == ("record", 1, payload_at(over, 0))


def test_kinds_and_keys_of_a_later_release_are_no_offence_and_null_is_only_in_bodies(small):
    keys = keys_of(small)
    for body in ({}, {"text": None, 5: [True, {"x": False}]}, {3: 1}):
        assert examine(of_a_later_release(small, body), keys).is_sound
    assert examine(of_a_later_release(small, {}, later="x"), keys).is_sound
    for wrong, more in (([], {}), ({}, {"later": None})):
        raw = of_a_later_release(small, wrong, **more)
        found = examine(raw, keys)
        item = b"\x09\x80" if wrong == [] else b"\xf6"
        assert (found.why, found.record) == ("record", 1)
        packed = cose.encode(parts(raw)[1])
        assert found.offset == packed.index(item) + (wrong == [])


def test_too_few_and_too_many_records(small):
    raws = [each.raw for each in small.records]
    too_few, too_many = sealed(small, raws[:3]), sealed(small, raws, {4: 3})
    for raw in (too_few, too_many):
        found = examine(raw, keys_of(small))
        heads, which, whole, *_ = parts(raw)[1]
        at = len(cose.encode([heads, which, whole]))
        assert (found.why, found.record, *place(found)) == ("numbers", None, "packed", at)


def test_records_that_are_not_those_of_the_root(small):
    raws = remade(small, 3, boot=9)
    raw = file_of(parts(small.batch())[0], packing.pack(raws))
    found = examine(raw, keys_of(small))
    assert (found.why, found.space) == ("root", "file")
    assert raw[found.offset - 1 : found.offset + 2] == b"\x05\x58\x20"


def test_a_receipt_beside_the_file(small):
    raw, keys = small.batch(), keys_of(small)
    stated = batch.parse_batch(raw, small.signer.public_key).statement
    assert examine(raw, keys, receipt_of(stated, OFFICE, T0_MS)).is_sound
    for wrong in (
        b"",
        receipt_of(stated, STRANGER, T0_MS),
        receipt_of(stated, OFFICE, T0_MS, root=bytes(32)),
        receipt_of(stated, OFFICE, T0_MS, batch=2),
        receipt_of(stated, OFFICE, T0_MS, unit="unit-2"),
    ):
        assert examine(raw, keys, wrong) == Verdict("receipt", "file", 0, None, 4)


# --- mutations ---


def slowly(raw: bytes, keys: KnownKeys, monkeypatch) -> Verdict:
    """The verdict by the reader of places alone, the quick code never believed."""
    real = packing.parts_of
    first = [True]

    def parts_of(packed: bytes):
        if first.pop() if first else False:
            raise packing.PackingError("not believed")
        return real(packed)

    def check_payload(_):
        raise packedrecords.RecordError("not believed")

    with monkeypatch.context() as patched:
        patched.setattr(packing, "parts_of", parts_of)
        patched.setattr(packedrecords.record, "check_payload", check_payload)
        return examine(raw, keys)


def is_taken_in(raw: bytes, terminal: Terminal) -> bool:
    try:
        batch.parse_batch(raw, terminal.signer.public_key)
    except BatchError:
        return False
    return True


def mutants(signed: bytes, packed: bytes, rnd: random.Random):
    for at in range(len(packed)):
        yield file_of(
            signed, packed[:at] + bytes([packed[at] ^ 1 << rnd.randrange(8)]) + packed[at + 1 :]
        )
        yield file_of(signed, packed[:at])
    for _ in range(400):
        one, two = sorted(rnd.randrange(len(packed)) for _ in range(2))
        yield file_of(signed, packed[:one] + packed[two:])
        yield file_of(signed, packed[:one] + rnd.randbytes(3) + packed[one:])


def test_the_quick_and_the_slow_way_and_the_intake_agree_on_every_mutant(terminal, monkeypatch):
    raw, keys = terminal.batch(), keys_of(terminal)
    signed, packed = parts(raw)
    for mutant in mutants(signed, cose.encode(packed), random.Random(9942)):
        found = examine(mutant, keys)
        assert found == slowly(mutant, keys, monkeypatch)
        assert found.is_sound == is_taken_in(mutant, terminal)
        assert found.is_sound or found.why not in ("container", "statement", "codec")


def test_keys_json_is_read_as_it_is_written(terminal):
    keys = keys_of(terminal, 3, 7)
    assert parse(keys.to_json()) == keys
    for wrong in ({}, [], {"units": {"a": [{}]}, "office": []}, {"units": {}, "office": [{}]}):
        with pytest.raises(ValueError):  # noqa: PT011 - whatever JSON brings
            parse(wrong)
