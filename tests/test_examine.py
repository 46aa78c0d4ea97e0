"""The verdict on a batch file, to class 6: file, statement, codec, packed records."""

from __future__ import annotations

import zlib

import pytest

from firmware.journal import batch, cose, packing
from firmware.journal.batch import take_apart
from office.examine import examine
from office.knownkeys import KnownKey, KnownKeys
from office.verdict import Verdict
from tests.examine_rig import (
    STRANGER,
    file_of,
    keys_of,
    parts,
    place,
    restated,
    terminal_with_eight,
)
from tests.office_rig import Terminal


@pytest.fixture
def terminal() -> Terminal:
    return terminal_with_eight()


def test_a_sound_batch_is_sound_however_it_is_packed(terminal):
    raw = terminal.batch()
    keys = keys_of(terminal)
    signed, packed = parts(raw)
    raws = take_apart(raw).raws
    payloads = [cose.parts1(each)[2] for each in raws]
    everything = [packed[0], packed[1], list(range(8)), payloads, packed[4]]
    for each in (
        raw,
        file_of(signed, packed),
        file_of(signed, everything),
        cose.encode([1, signed, 1, zlib.compress(cose.encode(packed), 1)]),
    ):
        assert examine(each, keys) == Verdict(None, None, None, None, 8)
        assert take_apart(each).raws == raws


# --- one of each class ---


def test_a_container_of_another_form(terminal):
    raw, keys = terminal.batch(), keys_of(terminal)
    for wrong, offset in (
        (b"", 0),
        (b"\x80", 0),
        (b"\x84\x02" + raw[2:], 1),
        (b"\x84\x18\x01" + raw[2:], 1),
        (b"\x84\xf6" + raw[2:], 1),
        (raw + b"\x00", len(raw)),
        (raw[:-1], len(raw) - 1),
        (bytes(batch.MAX_BATCH + 1), batch.MAX_BATCH),
    ):
        found = examine(wrong, keys)
        assert (found.why, *place(found)) == ("container", "file", offset)


IMPOSSIBLE = [({2: 0}, 2), ({3: 0}, 3), ({4: 0}, 4), ({4: 1 << 21}, 4), ({8: [[8, 8]]}, 8)]
SHAPELESS = [({2: "1"}, 2), ({5: bytes(31)}, 5), ({7: -1}, 7)]


@pytest.mark.parametrize(("change", "key"), IMPOSSIBLE + SHAPELESS)
def test_a_statement_with_impossible_numbers_or_another_shape(terminal, change, key):
    signed, packed = parts(terminal.batch())
    wrong = restated(signed, change, terminal.signer)
    found = examine(file_of(wrong, packed), keys_of(terminal))
    value = cose.encode(change[key])
    at = file_of(wrong, packed).index(bytes([key]) + value) + 1
    assert (found.why, *place(found)) == ("statement", "file", at)


def test_damage_of_another_shape_is_wrong_at_its_innermost_item(terminal):
    signed, packed = parts(terminal.batch())
    for ranges, behind in (([[3]], 1), ([[3, "4"]], 3), ([3], 1), ([[3, 4, 5]], 1)):
        raw = file_of(restated(signed, {8: ranges}, terminal.signer), packed)
        at = raw.index(b"\x08" + cose.encode(ranges)) + 1
        assert place(examine(raw, keys_of(terminal))) == ("file", at + behind)


def test_later_keys_of_a_statement_are_no_offence_but_null_is(terminal):
    signed, packed = parts(terminal.batch())
    later = restated(signed, {99: "x", "later": [1, {2: b""}]}, terminal.signer)
    assert examine(file_of(later, packed), keys_of(terminal)).is_sound
    for change, tail in (({99: None}, b"\x18\x63\xf6"), ({-1: 1}, b"\x20\x01")):
        raw = file_of(restated(signed, change, terminal.signer), packed)
        found = examine(raw, keys_of(terminal))
        behind = 2 if 99 in change else 0
        assert (found.why, found.offset) == ("statement", raw.index(tail) + behind)


def test_a_stranger_by_unit_by_key_and_by_range(terminal):
    raw = terminal.batch()
    kid = cose.key_id(terminal.signer.public_key)
    at = raw.index(b"\xa1\x04\x48" + kid) + 2
    other = {"other": keys_of(terminal).units["unit-1"]}
    assert examine(raw, KnownKeys(other, [])) == Verdict(
        "stranger", "file", raw.index(b"\x01\x66unit-1") + 1, None, 0
    )
    strange = KnownKeys({"unit-1": [KnownKey(-8, STRANGER.public_key)]}, [])
    by_algorithm = KnownKeys({"unit-1": [KnownKey(-7, terminal.signer.public_key)]}, [])
    for keys in (strange, by_algorithm, keys_of(terminal, 9), keys_of(terminal, 0, 0)):
        found = examine(raw, keys)
        assert (found.why, *place(found)) == ("stranger", "file", at)


def test_a_key_is_good_for_its_records_only(terminal):
    raw = terminal.batch()
    found = examine(raw, keys_of(terminal, 1, 4))
    assert (found.why, found.space, found.record) == ("stranger", "packed", 5)
    assert found.offset == cose.encode(parts(raw)[1]).index(b"\x48")
    assert found.records == 8


def test_a_statement_signed_by_another(terminal):
    signed, packed = parts(terminal.batch())
    forged = signed[:-1] + bytes([signed[-1] ^ 1])
    found = examine(file_of(forged, packed), keys_of(terminal))
    assert (found.why, *place(found)) == ("statement-signature", "file", 4)
    assert file_of(forged, packed)[4] == 0xD2


def test_a_codec_that_does_not_unpack(terminal):
    signed, packed = parts(terminal.batch())
    keys, stream = keys_of(terminal), zlib.compress(cose.encode(packed))
    for codec, content, head in (
        (2, b"", 0),
        (1, stream[:-1], 4),
        (1, stream + b"x", 4),
        (1, b"", 2),
        (1, zlib.compress(bytes(packing.MAX_UNPACKED + 1)), 4),
    ):
        raw = cose.encode([1, signed, codec, content])
        found = examine(raw, keys)
        at = raw.rindex(cose.encode([codec, content])[1:]) + head
        assert (found.why, *place(found)) == ("codec", "file", at)


def test_packed_records_of_another_shape(terminal):
    signed, (heads, which, whole, payloads, signatures) = parts(terminal.batch())
    right = cose.encode([heads, which, whole, payloads, signatures])
    of_which = len(cose.encode([heads]))
    of_whole = of_which + len(cose.encode(which))
    of_payloads = of_whole + len(cose.encode(whole))
    junk = [cose.encode({1: -8, 3: "application/other"}), heads[0][1]]
    wrong = (
        ([[], which, whole, payloads, signatures], 1),
        ([[*heads, *heads], which, whole, payloads, signatures], 1 + len(cose.encode(heads))),
        ([[*heads, junk], which, whole, payloads, signatures], 1 + len(cose.encode(heads)) + 6),
        ([heads, which[:-1] + b"\x01", whole, payloads, signatures], of_which),
        ([heads, which, [1], payloads, signatures], of_whole + 1),
        ([heads, which, [0, 8], payloads, signatures], of_whole + 2),
        ([heads, which, [0, 3, 3], payloads, signatures], of_whole + 3),
        ([heads, which, [], payloads, signatures], of_whole),
        ([heads, which, whole, payloads[:-1], signatures], of_payloads),
        ([heads, which, whole, payloads, signatures[:-1]], right.index(cose.encode(signatures))),
    )
    for packed, at in wrong:
        found = examine(file_of(signed, packed), keys_of(terminal))
        assert (found.why, *place(found)) == ("packed", "packed", at), packed[2]
    plain = [*payloads[:2], cose.encode({1: 2}), *payloads[3:]]
    found = examine(file_of(signed, [heads, which, whole, plain, signatures]), keys_of(terminal))
    at = of_payloads + 1 + sum(len(cose.encode(each)) for each in payloads[:2])
    assert (found.why, *place(found)) == ("packed", "packed", at)
