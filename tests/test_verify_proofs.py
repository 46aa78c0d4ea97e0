"""tools/verify_records.py on proofs of single records: each lie has its class and its place."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.batch_cases import OFFICE, STRANGER, payload_of
from tests.batch_writer import RECORD, cbor, receipt, sha, sign, tree_path, tree_root
from tests.verify_rig import CASES, FIRST, flipped, known, right, verdict_of
from tools import verify_records as tool

RECORDS = FIRST.batch.records
STATEMENT = FIRST.batch.statement().raw
LEAVES = [sha(b"\0", each.raw) for each in RECORDS]
OWN = FIRST.signers[1]
TREE = [sha(b"1"), sha(b"\0", STATEMENT), sha(b"3")]
ANSWER = receipt(OFFICE, FIRST.batch, TREE, 1)


def place_of(data: bytes) -> tuple[Any, ...]:
    try:
        tool.verify_proof(data, known(), tool.Verdict("x.proof"))
    except tool.Offence as offence:
        return offence.kind, offence.space, offence.at
    return None, None, None


def parts(**changed: Any) -> list[Any]:
    """The proof of record 3 of FIRST, at place 2."""
    right = {
        "form": 1, "record": RECORDS[2].raw, "statement": STATEMENT, "index": 2,
        "path": tree_path(2, LEAVES), "receipt": ANSWER,
    }  # fmt: skip
    return list({**right, **changed}.values())


def with_record(record: bytes) -> dict[str, Any]:
    """A record in the place of the third one, the statement signed for it."""
    leaves = [*LEAVES[:2], sha(b"\0", record), *LEAVES[3:]]
    fields = FIRST.batch.statement_fields() | {5: tree_root(leaves)}
    statement = sign(OWN, cbor(fields), "application/ssc-batch+cbor").raw
    return {
        "record": record, "statement": statement, "path": tree_path(2, leaves), "receipt": None
    }  # fmt: skip


def record_of(number: int = 3, unit: str = FIRST.unit, **how: Any) -> bytes:
    fields = payload_of(unit, number, bytes(32), 19, how.get("body", {50: "x"}))
    return sign(how.get("signer", OWN), cbor(fields), RECORD, key_id=how.get("key", OWN.id)).raw


LONG = record_of(body={50: "z" * 3000})
# name -> (changes, class, which item of the array, offset in its content; None: the item itself)
LIES: dict[str, tuple[dict[str, Any], str, int, int | None]] = {
    "another form": ({"form": 2}, "container", 0, None),
    "receipt of text": ({"receipt": "x"}, "container", 5, None),
    "path of short hashes": ({"path": [bytes(31)]}, "container", 4, 0),
    "a statement's byte": (
        {"statement": flipped(STATEMENT, len(STATEMENT) - 1)}, "statement-signature", 2, 0),
    "no record": ({"record": b"\xd2\x80"}, "record", 1, 1),
    "empty record": ({"record": b""}, "record", 1, 0),
    "a record too long": (with_record(LONG), "record", 1, None),
    "another unit": (
        with_record(record_of(unit="pharmacy-8")), "record", 1,
        record_of(unit="pharmacy-8").index(b"\x6apharmacy-8")),
    "a missing key": (
        with_record(record_of(body={2: "x"})), "record", 1,
        record_of(body={2: "x"}).index(b"\xa1\x02\x61x")),
    "a number beyond": (
        with_record(record_of(9)), "numbers", 1, record_of(9).index(b"\x02\x09") + 1),
    "another place": ({"index": 3, "path": tree_path(3, LEAVES)}, "numbers", 3, None),
    "another record's place": (
        {"record": RECORDS[4].raw, "path": tree_path(4, LEAVES)}, "numbers", 3, None),
    "a stranger's record": (
        with_record(record_of(signer=STRANGER, key=STRANGER.id)), "stranger", 1,
        record_of(signer=STRANGER, key=STRANGER.id).index(b"\x48" + STRANGER.id)),
    "a stranger who names our key": (
        with_record(record_of(signer=STRANGER)), "record-signature", 1,
        record_of(signer=STRANGER).index(b"\xa9\x01") - 2),
    "another path": ({"path": tree_path(1, LEAVES)}, "root", 4, None),
    "a path too long": ({"path": [*tree_path(2, LEAVES), bytes(32)]}, "root", 4, None),
    "a path too short": ({"path": tree_path(2, LEAVES)[:-1]}, "root", 4, None),
    "no path": ({"path": []}, "root", 4, None),
    "a receipt of another": (
        {"receipt": receipt(OFFICE, FIRST.batch, [sha(b"2")], 0)}, "receipt", 5, None),
    "an empty receipt": ({"receipt": b""}, "receipt", 5, None),
}  # fmt: skip


@pytest.mark.parametrize("name", LIES)
def test_a_lie_in_a_proof_is_located(name):
    changed, kind, which, offset = LIES[name]
    items = parts(**changed)
    at = 1 + sum(len(cbor(each)) for each in items[:which])
    if offset is not None:
        head = len(cbor(items[which])) - len(items[which]) if which in (1, 2) else 1
        at += head + offset
    assert place_of(cbor(items)) == (kind, "file", at)


def test_the_proof_itself_is_right_with_and_without_a_receipt():
    assert place_of(cbor(parts())) == (None, None, None)
    assert place_of(cbor(parts(receipt=None))) == (None, None, None)
    assert place_of(cbor(parts(**with_record(record_of())))) == (None, None, None)


@pytest.mark.parametrize("index", range(8))
def test_every_record_of_a_batch_has_its_place_whatever_was_lost(index):
    case = next(each for each in CASES if each.damaged)
    leaves = [sha(b"\0", each.raw) for each in case.batch.records]
    proof = [1, case.batch.records[index].raw, case.batch.statement().raw, index]
    assert place_of(cbor([*proof, tree_path(index, leaves), None])) == (None, None, None)


CONSISTENCY = {
    "another size": [2, 4, []],
    "from nothing": [0, 3, []],
    "from beyond": [4, 3, []],
    "no path": [2, 3],
    "short hashes": [2, 3, [bytes(31)]],
}


@pytest.mark.parametrize("name", CONSISTENCY)
def test_a_consistency_proof_of_another_shape_is_refused(name):
    proofs = {-1: [cbor([3, 1, tree_path(1, TREE)])], -2: [cbor(CONSISTENCY[name])]}
    answer = receipt(OFFICE, FIRST.batch, TREE, 1, proofs=proofs)
    assert verdict_of(right(FIRST), answer) == ("receipt", "file", 0)
    proofs[-2] = [cbor([2, 3, [TREE[2]]])]
    answer = receipt(OFFICE, FIRST.batch, TREE, 1, proofs=proofs)
    assert verdict_of(right(FIRST), answer) == (None, None, None)


def test_a_receipt_is_tagged_and_has_at_most_4096_bytes():
    assert verdict_of(right(FIRST), b"\xd3" + ANSWER[1:]) == ("receipt", "file", 0)
    room = 4096 - len(ANSWER)  # a longer name makes two heads longer, by two bytes each
    for more, expected in ((room - 10, None), (room + 10, "receipt")):
        answer = receipt(OFFICE, FIRST.batch, TREE, 1, iss="office" + "e" * more)
        assert verdict_of(right(FIRST), answer)[0] == expected


def test_a_batch_replaced_under_its_receipt_is_refused():
    other = replace(FIRST.batch, time=FIRST.batch.time + 1)
    assert verdict_of(right(FIRST), receipt(OFFICE, other, TREE, 1)) == (None, None, None)
    moved = [TREE[0], sha(b"\0", other.statement().raw), TREE[2]]
    assert verdict_of(right(FIRST), receipt(OFFICE, other, moved, 1))[0] == "receipt"
