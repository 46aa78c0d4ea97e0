"""tools/verify_records.py (issue C 8): every class of offence, and the place of the wrong byte.

What it reads is written by tests/batch_writer.py; expected places are found in the bytes, by hand.
"""

from __future__ import annotations

import ast
import sys
import zlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from scitt_cose import consistency_proof, inclusion_proof, merkle_root, verify_receipt

from tests.batch_cases import OFFICE, OTHER_OFFICE, STRANGER, payload_of
from tests.batch_writer import (
    BATCH,
    RECORD,
    Pairs,
    Raw,
    Signer,
    cbor,
    file_of,
    pack_parts,
    proof,
    receipt,
    sha,
    sign,
    tree_growth,
    tree_root,
)
from tests.verify_rig import (
    CASES,
    FIRST,
    TOOL,
    flipped,
    packed_of,
    proof_verdict,
    right,
    verdict_of,
)
from tools import verify_records as tool

# -- independence --------------------------------------------------------------------------------


def test_it_imports_nothing_of_the_project():
    named = set()
    for node in ast.walk(ast.parse(TOOL.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            named |= {alias.name.split(".")[0] for alias in node.names}
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0
            named.add((node.module or "").split(".")[0])
        assert not (isinstance(node, ast.Name) and node.id in ("__import__", "exec", "eval"))
    assert named - set(sys.stdlib_module_names) == {"cryptography"}
    assert "importlib" not in named


# -- what is right is accepted -------------------------------------------------------------------


@pytest.mark.parametrize("number", range(len(CASES)))
def test_what_is_right_is_accepted_with_receipt_and_proof(number):
    case = CASES[number]
    leaves = [sha(b"%d" % each) for each in range(number)]
    leaves.append(sha(b"\0", case.batch.statement().raw))
    answer = receipt(OFFICE, case.batch, leaves, number, number)
    assert verdict_of(right(case)) == (None, None, None)
    assert verdict_of(right(case), answer) == (None, None, None)
    assert proof_verdict(proof(case.batch, 3, answer)) is None
    assert proof_verdict(proof(case.batch, 0, None)) is None


def test_a_receipt_verifies_in_an_independent_reader_too():
    case = CASES[0]
    raw = case.batch.statement().raw
    entries = [b"one", b"two", raw, b"four", b"five"]
    leaves = [sha(b"\0", each) for each in entries]
    assert merkle_root([each.hex() for each in entries]) == tree_root(leaves).hex()
    ours = receipt(OTHER_OFFICE, case.batch, leaves, 2)
    assert verify_receipt(ours, leaf_entry_hex=raw.hex(), log_public_key_pem=pem(OTHER_OFFICE)).ok
    assert verdict_of(right(case), ours) == (None, None, None)
    theirs = [bytes.fromhex(each) for each in inclusion_proof([e.hex() for e in entries], 2)]
    assert tool.root_by_inclusion(leaves[2], 2, 5, theirs) == tree_root(leaves)


def pem(signer: Signer) -> bytes:
    public = tool.key_of(signer.row()).public
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def test_growth_of_a_tree_is_proved_as_an_independent_package_proves_it():
    entries = [b"%d" % each for each in range(33)]
    leaves = [sha(b"\0", each) for each in entries]
    for new in range(1, 34):
        for old in range(1, new + 1):
            path = tree_growth(old, leaves[:new])
            theirs = consistency_proof([each.hex() for each in entries[:new]], old, new)
            assert [each.hex() for each in path] == theirs
            roots = tree_root(leaves[:old]), tree_root(leaves[:new])
            assert tool.grew(old, roots[0], new, roots[1], path)
            assert not tool.grew(old, sha(b"x"), new, roots[1], path)
            assert not tool.grew(old, roots[0], new, sha(b"x"), path)
            assert not tool.grew(old, roots[0], new, roots[1], [*path, sha(b"x")])
            assert not path or not tool.grew(old, roots[0], new, roots[1], path[:-1])


# -- each class, and its place -------------------------------------------------------------------


def resealed(change: Callable[[dict[Any, Any]], Any], at: int = 2, **how: Any) -> bytes:
    """FIRST with record `at` changed by `change` and everything signed again as it should be."""
    case = FIRST
    records, previous = [], sha(b"before")
    for position, number in enumerate(case.numbers):
        fields = payload_of(case.unit, number, previous, 19, {50: "x"})
        fields = (change(fields) or fields) if position == at else fields
        payload = fields if isinstance(fields, bytes) else cbor(fields)
        records.append(sign(case.signers[1], payload, RECORD))
        previous = sha(records[-1].raw)
    batch = replace(case.batch, records=records)
    parts = pack_parts(records, how.get("whole", list(range(len(records)))))
    return file_of(how.get("statement") or batch.statement(), parts)


def in_packed(data: bytes, what: bytes) -> int:
    packed = packed_of(data)
    assert packed.count(what) == 1
    return packed.index(what)


def record_cases() -> dict[str, tuple[Callable[[dict[Any, Any]], Any], str, bytes, int]]:
    """name -> (change of record 3 of FIRST, class, bytes found once, where in them)."""

    def body(value: Any, kind: int | None = None) -> Callable[[dict[Any, Any]], Any]:
        def change(fields: dict[Any, Any]) -> None:
            fields[9], fields[6] = value, kind or fields[6]

        return change

    def put(key: Any, value: Any) -> Callable[[dict[Any, Any]], Any]:
        return lambda fields: fields.update({key: value})

    return {
        "long head": (body({50: Raw(b"\x78\x04flip")}), "record", b"\x78\x04flip", 0),
        "indefinite": (body({50: Raw(b"\x7f\x61x\xff")}), "record", b"\x7f\x61x\xff", 0),
        "float": (body({50: "f", 99: Raw(b"\xf9\x3c\x02")}), "record", b"\xf9\x3c\x02", 0),
        "tag": (body({50: "f", 99: Raw(b"\xc1\x18\x77")}), "record", b"\xc1\x18\x77", 0),
        "undefined": (body({50: "fghi", 99: Raw(b"\xf7")}), "record", b"fghi\x18\x63\xf7", 6),
        "no UTF-8": (body({50: Raw(b"\x63a\xff\xfe")}), "record", b"\x63a\xff\xfe", 0),
        "too deep": (body({99: Raw(b"\x81" * 8 + b"\x17")}, 77), "record", b"\x81" * 8, 7),
        "key twice": (body(Pairs([(99, "no1"), (99, 2)]), 77), "record", b"\x63no1\x18\x63", 4),
        "keys not in order": (body(Pairs([(99, "no1"), (98, 2)]), 77), "record", b"no1\x18\x62", 3),
        "key below 0": (body({50: "", -1: "minus"}), "record", b"\x20\x65minus", 0),
        "envelope key below 0": (put(-1, "minus"), "record", b"\x20\x65minus", 0),
        "key of bytes": (body({b"bytes": 1}, 77), "record", b"\x45bytes", 0),
        "null in the envelope": (put(11, Raw(b"\xf6")), "record", b"\x0b\xf6", 1),
        "missing body key": (body({51: {7: 77}}), "record", b"\xa1\x18\x33\xa1\x07", 0),
        "wrong body type": (body({50: 77}), "record", b"\xa1\x18\x32\x18\x4d", 3),
        "wrong length": (body({50: "", 12: b"abc"}), "record", b"\x43abc", 0),
        "wrong nested": (body({50: "", 21: [1, 2, "drei"]}), "record", b"\x64drei", 0),
        "wrong nested key": (body({50: "", 51: {"vier": 1}}), "record", b"\x64vier", 0),
        "wrong envelope type": (put(4, "zeit"), "record", b"\x64zeit", 0),
        "another unit": (put(1, "pharmacy-8"), "record", b"\x6apharmacy-8", 0),
        "number": (put(2, 0x7777), "numbers", b"\x19\x77\x77", 0),
        "previous": (put(8, bytes([0x5A] * 32)), "chain", b"\x58\x20" + bytes([0x5A] * 32), 0),
        "bytes behind": (lambda f: cbor(f) + b"behind", "record", b"behind", 0),
    }


@pytest.mark.parametrize("name", record_cases())
def test_a_record_signed_wrong_is_located(name):
    change, kind, what, at = record_cases()[name]
    data = resealed(change)
    assert verdict_of(data) == (kind, "packed", in_packed(data, what) + at)


def test_the_place_behind_a_left_out_previous_is_the_place_in_the_file():
    data = resealed(lambda fields: fields.update({9: {50: 0x7654}}), whole=[0])
    at = in_packed(data, b"\x19\x76\x54")
    assert verdict_of(data) == ("record", "packed", at)
    assert packed_of(data)[at - 8 : at] == b"\x08\x58\x20\x09\xa1\x18\x32"[-8:].rjust(8, b"\x01")


def test_a_record_is_at_most_3072_bytes():
    def long(bytes_more: int) -> bytes:
        return resealed(lambda fields: fields.update({9: {50: "y" * (2840 + bytes_more)}}))

    sizes = {}
    for more in range(60):
        data = long(more)
        sizes[more] = verdict_of(data)
    assert {each[0] for each in sizes.values()} == {None, "record"}
    first = min(more for more, each in sizes.items() if each[0])
    at = sizes[first][2]
    length = int.from_bytes(packed_of(long(first))[at + 1 : at + 3], "big")
    # D2 84, protected 59 + 33.. bytes, A1 04 48 and the key id, the payload and its head, 58 40, 64
    around = len(FIRST.batch.records[0].raw) - len(FIRST.batch.records[0].payload) + 1
    assert around + length == 3073


def other_parts(change: Callable[[list[Any]], Any]) -> bytes:
    parts = pack_parts(FIRST.batch.records)
    return cbor(change(parts) or parts)


def put_into(position: int, value: Any) -> Callable[[list[Any]], Any]:
    def change(parts: list[Any]) -> None:
        parts[position] = value

    return change


def packed_cases() -> dict[str, tuple[bytes, str, int]]:
    """name -> (packed, class, offset)."""
    parts = pack_parts(FIRST.batch.records)
    plain = cbor(parts)
    offsets = [1]
    for part in parts:
        offsets.append(offsets[-1] + len(cbor(part)))
    heads_at, which_at, whole_at, payloads_at, signatures_at, end = offsets
    heads, which, _, payloads, signatures = parts
    last_at = signatures_at - len(cbor(payloads[-1]))
    bad_head = [cbor({1: -35, 3: RECORD}), heads[0][1]]
    return {
        "cut": (plain[:-1], "packed", len(plain) - 1),
        "behind": (plain + b"\0", "packed", len(plain)),
        "no array": (cbor({1: 2}), "packed", 0),
        "four": (cbor(parts[:4]), "packed", 0),
        "no heads": (other_parts(put_into(0, [])), "packed", heads_at),
        "256 heads": (
            other_parts(put_into(0, [[b"%d" % n, bytes(8)] for n in range(256)])), "packed", 1),
        "a head twice": (
            other_parts(put_into(0, [heads[0], heads[0]])), "packed", 2 + len(cbor(heads[0]))),
        "key id of 7": (
            other_parts(put_into(0, [[heads[0][0], bytes(7)]])), "packed",
            3 + len(cbor(heads[0][0]))),
        "head of another algorithm": (
            other_parts(put_into(0, [bad_head])), "packed", cbor([[bad_head]]).index(b"\x38\x22")),
        "which too short": (other_parts(put_into(1, which[1:])), "packed", payloads_at - 1),
        "which beyond the heads": (other_parts(put_into(1, which[1:] + b"\1")), "packed", which_at),
        "whole without 0": (other_parts(put_into(2, [1, 3])), "packed", whole_at + 1),
        "whole empty": (other_parts(put_into(2, [])), "packed", whole_at),
        "whole not ascending": (other_parts(put_into(2, [0, 2, 2])), "packed", whole_at + 3),
        "whole beyond": (other_parts(put_into(2, [0, 2, 8])), "packed", whole_at + 3),
        "no bytes": (
            other_parts(put_into(3, [1, *payloads[1:]])), "packed", payloads_at + 1),
        "no place for previous": (
            other_parts(put_into(3, [*payloads[:7], b"abc"])), "packed", last_at),
        "signatures too short": (
            other_parts(put_into(4, signatures[1:])), "packed", signatures_at),
        "a record less": (
            other_parts(lambda p: [heads, which[1:], [0], p[3][:-1], signatures[:-64]]), "numbers",
            whole_at - 1 + len(cbor([0]))),
        "another key id": (
            other_parts(put_into(0, [[heads[0][0], STRANGER.id]])), "stranger",
            3 + len(cbor(heads[0][0]))),
        "a signature": (flipped(plain, signatures_at + 3), "record-signature", payloads_at + 1),
        "a signature of the last": (
            flipped(plain, end - 1), "record-signature", last_at),
    }  # fmt: skip


@pytest.mark.parametrize("name", packed_cases())
def test_packed_records_of_another_shape_are_located(name):
    packed, kind, at = packed_cases()[name]
    assert verdict_of(file_of(FIRST.batch.statement(), packed)) == (kind, "packed", at)


def statement_cases() -> dict[str, tuple[Any, str, bytes, int]]:
    """name -> (changes of the statement's fields or its bytes, class, bytes, where in them)."""
    raw = FIRST.batch.statement().raw
    stranger = sign(STRANGER, cbor(FIRST.batch.statement_fields()), BATCH)
    record_type = sign(FIRST.signers[1], cbor(FIRST.batch.statement_fields()), RECORD)
    return {
        "tag": (b"\xd3" + raw[1:], "statement", b"\xd3\x84", 0),
        "three parts": (b"\xd2\x83" + raw[2:], "statement", raw[-64:], 64 - 66),
        "record's type": (record_type.raw, "statement", b"\x78\x1b" + RECORD.encode(), 0),
        "unit unknown": ({1: "pharmacy-9"}, "stranger", b"\x6apharmacy-9", 0),
        "batch 0": ({2: 0}, "statement", b"\x02\x00\x03", 1),
        "first 0": ({3: 0}, "statement", b"\x03\x00\x04", 1),
        "last before first": ({3: 9, 4: 8}, "statement", b"\x03\x09\x04\x08", 3),
        "too many": ({4: 1 << 20 | 1}, "statement", b"\x04\x1a\x00\x10\x00\x01", 1),
        "damaged last": ({8: [[4, 8]]}, "statement", b"\x08\x81\x82\x04\x08", 1),
        "damaged twice": ({8: [[2, 4], [4, 5]]}, "statement", b"\x08\x82\x82", 1),
        "damaged of three": ({8: [[2, 3, 4]]}, "statement", b"\x08\x81\x83", 2),
        "root of 31": ({5: bytes(31)}, "statement", b"\x05\x58\x1f", 1),
        "null beside": ({"more": None}, "statement", b"more\xf6", 4),
        "another root": ({5: bytes([0x77] * 32)}, "root", b"\x05\x58\x20\x77", 1),
        "a stranger": (stranger.raw, "stranger", b"\x04\x48" + STRANGER.id, 1),
        "signature": (flipped(raw, len(raw) - 1), "statement-signature", b"\xd2\x84\x58", 0),
    }


@pytest.mark.parametrize("name", statement_cases())
def test_a_wrong_statement_is_located(name):
    change, kind, what, at = statement_cases()[name]
    if isinstance(change, dict):
        fields = FIRST.batch.statement_fields() | change
        change = sign(FIRST.signers[1], cbor(fields), BATCH).raw
    data = file_of(change, pack_parts(FIRST.batch.records))
    if name == "three parts":  # the signature is behind the array: the first byte that is too many
        at = -2
    assert verdict_of(data) == (kind, "file", data.index(what) + at)


def file_cases() -> dict[str, tuple[bytes, str, int]]:
    data, statement = right(FIRST), FIRST.batch.statement()
    plain = cbor(pack_parts(FIRST.batch.records))
    codec_at = 2 + len(cbor(statement.raw))
    content_at = codec_at + 4

    def with_zlib(packed: bytes) -> bytes:
        return cbor([1, statement.raw, 1, packed])

    return {
        "empty": (b"", "container", 0),
        "cut": (data[:-9], "container", len(data) - 9),
        "behind": (data + b"\0", "container", len(data)),
        "form 2": (b"\x84\x02" + data[2:], "container", 1),
        "too long": (data + bytes(4 << 20 | 1 << 16), "container", (4 << 20) + (1 << 16)),
        "codec 2": (file_of(statement, plain, 2), "codec", codec_at),
        "codec text": (file_of(statement, plain, "z"), "container", codec_at),
        "no zlib": (with_zlib(plain), "codec", content_at),
        "zlib cut": (with_zlib(zlib.compress(plain)[:-1]), "codec", content_at),
        "zlib tail": (with_zlib(zlib.compress(plain) + b"x"), "codec", content_at),
        "bomb": (with_zlib(zlib.compress(bytes(4 << 20 | 1))), "codec", content_at),
        "codec 0, too long": (
            cbor([1, statement.raw, 0, bytes(4 << 20 | 1)]), "codec", codec_at + 6),
    }  # fmt: skip


@pytest.mark.parametrize("name", file_cases())
def test_a_wrong_file_is_located(name):
    data, kind, at = file_cases()[name]
    assert verdict_of(data) == (kind, "file", at)


def test_a_key_is_good_for_its_records_only():
    """clinic-9 changed its key at 206: the old one signs nothing later, the new nothing earlier."""
    case = next(each for each in CASES if each.unit == "clinic-9")
    for at, signer in ((205, case.signers[206]), (206, case.signers[1])):
        records = list(case.batch.records)
        position = case.numbers.index(at)
        records[position] = sign(signer, records[position].payload, RECORD)
        whole = list(range(len(records)))
        batch = replace(case.batch, records=records)
        assert verdict_of(file_of(batch.statement(), pack_parts(records, whole)))[0] == "stranger"
    early = replace(case.batch, last=205, records=case.batch.records[:6])
    late = replace(case.batch, first=206, records=case.batch.records[6:], signer=case.signers[1])
    for wrong in (early, late):
        data = file_of(wrong.statement(), pack_parts(wrong.records))
        assert verdict_of(data)[:2] == ("stranger", "file")


RECEIPTS: dict[str, dict[str, Any]] = {
    "another batch": {"sub": "pharmacy-7/9"},
    "another structure": {"vds": 2},
    "no inclusion": {"proofs": {-2: [cbor([1, 1, []])]}},
    "another place": {"proofs": {-1: [cbor([3, 1, [bytes(32)] * 2])]}},
    "place beyond the tree": {"proofs": {-1: [cbor([1, 1, []])]}},
}


@pytest.mark.parametrize("name", [*RECEIPTS, "a stranger's", "too long", "another leaf", "cut"])
def test_a_wrong_receipt_is_refused(name):
    leaves = [sha(b"1"), sha(b"\0", FIRST.batch.statement().raw), sha(b"3")]
    if name == "another leaf":
        leaves[1] = sha(b"2")
    office = STRANGER if name == "a stranger's" else OFFICE
    answer = receipt(office, FIRST.batch, leaves, 1, **RECEIPTS.get(name, {}))
    answer = answer[:-1] if name == "cut" else answer
    answer += bytes(4096) if name == "too long" else b""
    assert verdict_of(right(FIRST), answer) == ("receipt", "file", 0)


@pytest.mark.parametrize("at", range(0, 600, 7))
def test_every_flipped_byte_of_a_proof_is_found(at):
    leaves = [sha(b"1"), sha(b"\0", FIRST.batch.statement().raw), sha(b"3")]
    data = proof(FIRST.batch, 2, receipt(OFFICE, FIRST.batch, leaves, 1))
    assert proof_verdict(data) is None
    assert proof_verdict(flipped(data, at % len(data))) is not None


def test_a_proof_of_a_record_elsewhere_is_refused():
    one, two = CASES[0], CASES[1]
    data = proof(replace(one.batch, records=two.batch.records[: len(one.numbers)]), 2, None)
    assert proof_verdict(data) == "numbers"
