"""Batches with a lie in them, signed by the terminal itself as a broken or evil one would."""

from __future__ import annotations

import random
from typing import Any

from tests.batch_cases import STRANGER, Case, intent
from tests.batch_writer import (
    BATCH,
    RECORD,
    Message,
    Pairs,
    Raw,
    cbor,
    file_of,
    pack_parts,
    sha,
    sign,
)
from tests.signed_again import harmful, long_record, sealed, signed_again, somewhere, twins

# --- harmful: CBOR that is not deterministic, or has no place -------------------------------------

NOT_CANONICAL_HEX = """
1805 190005 1a00000005 1b0000000000000005 580161 59000161 780161 9800 990000 b800 3800
7f6161ff 5f4161ff 9fff bfff ff 1c 1d 3e 5c 9d f90000 fa00000000 fb0000000000000000 c000 c101
d81800 d9010000 f7 f0 f820 f8ff e0 61ff 62c328 63eda080 a200000000 a201000000 a2616200616100
a1f400 a18000 a14000 a1f90000 a1c00000 818181818181818181818100 a100a100a100a100a100a100a100a10000
"""
NOT_CANONICAL = tuple(map(bytes.fromhex, NOT_CANONICAL_HEX.split()))
NOWHERE_BUT_IN_BODIES = (b"\xf6", b"\xf5", b"\xf4")


def spoilt(rng: random.Random, fields: dict[Any, Any]) -> dict[Any, Any]:
    """A payload's fields with one bad item: a value, a new key's value, or a key."""
    body = rng.random() < 0.6 and isinstance(fields.get(9), dict)
    inside = fields[9] if body else fields
    bad = Raw(rng.choice(NOT_CANONICAL if body else NOT_CANONICAL + NOWHERE_BUT_IN_BODIES))
    way = rng.randrange(4)
    if way == 0 and inside:
        inside[rng.choice([*inside])] = bad
    elif way == 1:
        inside[rng.choice((97, 300, "text"))] = [{}, 7, [bad]] if rng.random() < 0.5 else bad
    elif way == 2:
        key = Raw(
            rng.choice((b"\x18\x01", b"\x40", b"\x80", b"\xf4", b"\xf9\x00\x00", b"\x61\xff"))
        )
        pairs = Pairs(sorted(inside.items(), key=lambda each: cbor(each[0])))
        pairs.insert(rng.randrange(len(pairs) + 1), (key, 1))
        return fields | {9: pairs} if body else pairs
    else:
        pairs = Pairs(sorted(inside.items(), key=lambda each: cbor(each[0])))
        pairs = Pairs([*pairs, *([("a", 1), ("a", 2)] if len(pairs) < 2 else [])])
        one = rng.randrange(len(pairs) - 1)
        pairs[one : one + 2] = rng.choice(([pairs[one + 1], pairs[one]], [pairs[one]] * 2))
        return fields | {9: pairs} if body else pairs
    return fields


@harmful
def a_record_that_is_not_deterministic(rng: random.Random, case: Case) -> bytes:
    records = signed_again(case, {somewhere(rng, case): lambda f: spoilt(rng, f)})
    return sealed(case, records)


@harmful
def a_statement_that_is_not_deterministic(rng: random.Random, case: Case) -> bytes:
    fields = spoilt(rng, case.batch.statement_fields())
    message = sign(case.batch.signer, cbor(fields), BATCH)
    return file_of(message, pack_parts(case.batch.records))


# --- harmful: keys, types, numbers ----------------------------------------------------------------


def other_type(rng: random.Random, value: Any) -> Any:
    if isinstance(value, bool) or value is None:
        return 1
    if isinstance(value, int):
        return rng.choice(("5", b"\x05", -1 - value, [value], {}))
    if isinstance(value, bytes):
        return rng.choice((5, value.hex(), [value], {0: value}))
    return rng.choice((5, b"x", -5)) if rng.random() < 0.5 else b"x" * rng.randrange(3)


@harmful
def a_value_of_another_type(rng: random.Random, case: Case) -> bytes:
    def change(fields: dict[Any, Any]) -> None:
        inside = fields[9] if rng.random() < 0.6 else fields
        key = rng.choice([*inside])
        inside[key] = other_type(rng, inside[key])

    return sealed(case, signed_again(case, {somewhere(rng, case): change}))


@harmful
def a_byte_string_of_another_length(rng: random.Random, case: Case) -> bytes:
    def change(fields: dict[Any, Any]) -> None:
        body = fields[9] if fields[6] == 1 else intent(rng)
        key = rng.choice((3, 4, 5, 7, 12, 15, 16))
        body[key] = rng.choice((body[key] + b"x", body[key][1:], b""))
        fields |= {6: 1, 9: body}

    return sealed(case, signed_again(case, {somewhere(rng, case): change}))


NESTED: tuple[Any, ...] = (
    {21: [1, 2]}, {21: [1, 2, 3, 4]}, {21: [1, b"", 3]}, {37: {5: "x"}}, {37: {"x": 1, 7: 1}},
    {41: 1}, {41: None}, {51: {"x": 1}}, {51: {1: "x"}}, {52: {1: 1, 2: -1}}, {71: ["x", 1]},
    {71: {}}, {53: bytes(64)}, {72: bytes(31)}, {65: "1"}, {82: 8}, {-1: 1}, {-70: 1, "x": 1},
)  # fmt: skip


@harmful
def a_known_key_of_another_shape(rng: random.Random, case: Case) -> bytes:
    def change(fields: dict[Any, Any]) -> dict[Any, Any]:
        return fields | {6: 19, 9: {50: "x"} | rng.choice(NESTED)}

    return sealed(case, signed_again(case, {somewhere(rng, case): change}))


INTENT_NEEDS = (*range(1, 8), 11, 12, *range(15, 20), 22, 23, 24)


@harmful
def a_missing_key(rng: random.Random, case: Case) -> bytes:
    def change(fields: dict[Any, Any]) -> None:
        if rng.random() < 0.5:
            del fields[rng.choice([*fields])]
        else:
            fields |= {6: 1, 9: intent(rng)}
            for key in rng.sample(INTENT_NEEDS, rng.choice((1, 1, 3))):
                del fields[9][key]

    return sealed(case, signed_again(case, {somewhere(rng, case): change}))


@harmful
def a_record_of_more_than_3072_bytes(rng: random.Random, case: Case) -> bytes:
    at = somewhere(rng, case)
    return sealed(case, signed_again(case, {at: long_record(case, at, rng.choice((3073, 3500)))}))


@harmful
def bytes_behind_or_missing_in_a_payload(rng: random.Random, case: Case) -> bytes:
    def change(fields: dict[Any, Any]) -> bytes:
        whole = cbor(fields)
        return rng.choice((whole + b"\0", whole[:-1], whole[: rng.randrange(len(whole))]))

    at = somewhere(rng, case)
    records = signed_again(case, {at: change})
    whole = [n for n in range(len(records)) if n <= at]
    return sealed(case, records, pack_parts(records, whole))


@harmful
def a_payload_that_is_no_map(rng: random.Random, case: Case) -> bytes:
    other = rng.choice((b"\x01", b"\x80", b"\x61a", b"\xa0", b"\x40", b"\xf6"))
    at = somewhere(rng, case)
    records = signed_again(case, {at: lambda _: other})
    return sealed(case, records, pack_parts(records, list(range(len(records)))))


@harmful
def another_unit_or_number(rng: random.Random, case: Case) -> bytes:
    lie: dict[int, Any] = rng.choice(
        ({1: case.unit + "x"}, {1: ""}, {2: 0}, {2: case.batch.last + 1}, {2: 1 << 60})
    )
    return sealed(case, signed_again(case, {somewhere(rng, case): lambda f: f | lie}))


@harmful
def a_lie_about_the_record_before(rng: random.Random, case: Case) -> bytes:
    pairs = zip(case.numbers, case.numbers[1:], strict=False)
    at = rng.choice([n for n, (a, b) in enumerate(pairs, 1) if b == a + 1])
    lie = rng.choice((bytes(32), rng.randbytes(32), case.payloads[at - 1][8]))
    records = signed_again(case, {at: lambda f: f | {8: lie}})
    whole = sorted({0, at, *rng.sample(range(len(records)), 2)})
    return sealed(case, records, pack_parts(records, whole))


@harmful
def a_lie_behind_bytes_like_previous(rng: random.Random, case: Case) -> bytes:
    """08 58 20 and the right digest stand in key 4; key 8, given whole or rebuilt, is a lie."""
    pairs = zip(case.numbers, case.numbers[1:], strict=False)
    at = rng.choice([n for n, (a, b) in enumerate(pairs, 1) if b == a + 1])
    lie = rng.randbytes(32)
    records = signed_again(case, {at: lambda f: f | {4: 0x085820, 8: lie}})
    return sealed(case, records, pack_parts(records, list(range(len(records)))))


# --- harmful: statements --------------------------------------------------------------------------


@harmful
def a_statement_with_impossible_fields(rng: random.Random, case: Case) -> bytes:
    first, last = case.batch.first, case.batch.last
    lies: tuple[Any, ...] = (
        {2: 0}, {3: 0}, {3: last + 1}, {4: first - 1}, {4: first + (1 << 20)}, {8: [[last, last]]},
        {8: [[first + 1, first]]}, {8: [[first + 2, first + 3], [first + 1, first + 1]]},
        {8: [[first - 1, first]]}, {8: [[first]]}, {8: [first]}, {8: {}}, {8: [[first, "x"]]},
        {8: [[first, first + 1], [first + 1, first + 2]]}, {5: bytes(31)}, {6: bytes(33)}, {7: -1},
        {-1: 1}, {1: b"x"}, {9: None}, {"x": True}, {1: case.unit + "?"}, {1: ""}, {4: 1 << 63},
    )  # fmt: skip
    return sealed(case, case.batch.records, fields=rng.choice(lies))


@harmful
def a_statement_without_a_field(rng: random.Random, case: Case) -> bytes:
    fields = case.batch.statement_fields()
    del fields[rng.randrange(1, 9)]
    message = sign(case.batch.signer, cbor(fields), BATCH)
    return file_of(message, pack_parts(case.batch.records))


@harmful
def a_statement_about_other_numbers(rng: random.Random, case: Case) -> bytes:
    first, last = case.batch.first, case.batch.last
    inside = [n for n in case.numbers if n != last]
    lost = rng.choice(inside)
    lies: tuple[dict[int, Any], ...] = (
        {3: first + 1}, {4: last + 1}, {4: last - 1}, {3: first + 7, 4: last + 7},
        {8: [[lost, lost]]},
        {5: rng.randbytes(32)}, {5: bytes(32)}, {5: sha(b"\0" + case.batch.records[0].raw)},
    )  # fmt: skip
    return sealed(case, case.batch.records, fields=rng.choice(lies))


@harmful
def a_statement_by_somebody_else(rng: random.Random, case: Case) -> bytes:
    raw = cbor(case.batch.statement_fields())
    own = case.batch.signer
    messages = (
        sign(STRANGER, raw, BATCH), sign(STRANGER, raw, BATCH, key_id=own.id),
        sign(own, raw, BATCH, key_id=STRANGER.id), sign(own, raw, RECORD),
        sign(own, raw, BATCH, signature=rng.randbytes(64)), sign(own, raw, BATCH, -35),
        sign(own, raw, BATCH, -65_540), sign(own, raw, BATCH, twins(own)[0] ^ 1),
        sign(own, raw, BATCH, "EdDSA"), sign(own, raw, BATCH, signature=bytes(63)),
    )  # fmt: skip
    return file_of(rng.choice(messages), pack_parts(case.batch.records))


def odd_headers(rng: random.Random, content_type: str, algorithm: int) -> bytes:
    return rng.choice((
        cbor({1: algorithm}), cbor({3: content_type}), cbor({}), b"", b"\xa0\x00",
        cbor({1: algorithm, 3: content_type, 4: b"x"}),
        cbor({1: algorithm, 2: 1, 3: content_type}),
        cbor({1: algorithm, 3: content_type.encode()}), cbor([algorithm, content_type]),
        cbor(Pairs([(3, content_type), (1, algorithm)])),
        cbor({1: algorithm, 3: content_type[:-1]}),
        cbor({1: Raw(b"\x38\x07"), 3: content_type}), cbor({1: algorithm, 3: None}),
        cbor({0: 1, 1: algorithm, 3: content_type}), cbor({1: algorithm, 3: content_type, "x": 1}),
        cbor({-1: 1, 1: algorithm, 3: content_type}), cbor({1: 8, 3: content_type}),
    ))  # fmt: skip


@harmful
def an_odd_header_of_the_statement(rng: random.Random, case: Case) -> bytes:
    own, payload = case.batch.signer, cbor(case.batch.statement_fields())
    protected = odd_headers(rng, BATCH, own.algorithm)
    raw = Message(protected, own.id, payload, own.sign(protected, payload)).raw
    if rng.random() < 0.4:
        right = cbor({1: own.algorithm, 3: BATCH})
        parts: list[Any] = [right, {4: own.id}, payload, own.sign(right, payload)]
        where = rng.randrange(4)
        odd: tuple[Any, ...] = (
            {},
            {4: bytes(7)},
            {4: own.id, 5: 1},
            {3: 1, 4: own.id},
            {4: "x"},
            [],
        )
        parts[where] = rng.choice(odd) if where == 1 else rng.choice((1, "x", None, [], {}))
        raw = b"\xd2" + cbor(rng.choice((parts, parts[:3], [*parts, 1])))
        raw = raw if rng.random() < 0.8 else rng.choice((b"\xd1", b"\xd8\x12", b"")) + raw[1:]
    return file_of(raw, pack_parts(case.batch.records))


@harmful
def an_odd_header_of_a_record(rng: random.Random, case: Case) -> bytes:
    records = list(case.batch.records)
    at = somewhere(rng, case)
    signer, payload = case.signer_at(case.numbers[at]), records[at].payload
    protected = odd_headers(rng, RECORD, signer.algorithm)
    records[at] = Message(protected, signer.id, payload, signer.sign(protected, payload))
    return sealed(case, records, pack_parts(records, list(range(len(records)))))


@harmful
def a_record_by_somebody_else(rng: random.Random, case: Case) -> bytes:
    records, at = list(case.batch.records), somewhere(rng, case)
    number, payload = case.numbers[at], records[at].payload
    own = case.signer_at(number)
    others = [each for each in case.signers.values() if each is not own]
    signer = rng.choice((STRANGER, *others))
    records[at] = rng.choice((
        sign(signer, payload, RECORD), sign(signer, payload, RECORD, key_id=own.id),
        sign(own, payload, RECORD, key_id=signer.id), sign(own, payload, RECORD, -65_540),
        sign(own, payload, BATCH), sign(own, payload, RECORD, -7 if own.algorithm == -8 else -8),
    ))  # fmt: skip
    return sealed(case, records, pack_parts(records, list(range(len(records)))))


@harmful
def records_of_a_batch_before(rng: random.Random, case: Case) -> bytes:
    """A replay: right records of this unit, under the next numbers."""
    count = case.batch.last - case.batch.first + 1
    fields = {3: case.batch.first + count, 4: case.batch.last + count, 8: []}
    return sealed(case, case.batch.records, fields=fields)
