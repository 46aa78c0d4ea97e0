"""The record format: the tables of docs/records.md, strict writing, tolerant reading."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from journal_maker import (
    START_MS,
    TEST_DEVICE_KEY,
    TEST_OFFICE_KEY,
    UNIT,
    done_body,
    intent_body,
    void_body,
)

from firmware.journal import (
    cose,
    enrolment,
    kinds,
    presence,
    receipt,
    record,
    signedfile,
    statement,
)
from firmware.journal.kinds import ENVELOPE, KEYS, KIND_SERVICE, KINDS
from firmware.journal.record import RecordError, build, parse

KEY = TEST_DEVICE_KEY.public_key
DOCS = Path(__file__).resolve().parents[1] / "docs" / "records.md"

ENVELOPE_VALUES = {
    "unit": UNIT,
    "number": 3,
    "boot": 2,
    "time_ms": START_MS,
    "trust": 1,
    "profile": 1,
    "previous": bytes(range(32)),
}


def make(kind=kinds.KIND_INTENT, body=None, **changed):
    body = intent_body() if body is None else body
    return build(kind, body, signer=TEST_DEVICE_KEY, **{**ENVELOPE_VALUES, **changed})


def sign(envelope) -> bytes:
    """A record as another release might have written it."""
    return cose.sign1(cose.encode(envelope), TEST_DEVICE_KEY, record.CONTENT_TYPE)


def envelope_of(made) -> dict:
    return cose.decode(cose.peek1(made.raw).payload)


# --- docs/records.md is the code ---


def rows(heading: str) -> list[list[str]]:
    """The cells of the first table under a heading of docs/records.md."""
    section = DOCS.read_text("utf-8").split(f"\n## {heading}")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def numbers(text: str) -> set[int]:
    """{1, 2, 3, 5} of "1-3, 5 (with a remark)"."""
    found = set()
    for first, last in re.findall(r"(\d+)(?:-(\d+))?", re.sub(r"\(.*?\)", "", text)):
        found |= set(range(int(first), int(last or first) + 1))
    return found


def test_the_envelope_is_as_documented():
    assert {int(key): (name, kind) for key, name, kind, _ in rows("Envelope")} == ENVELOPE


def test_the_body_keys_are_as_documented():
    assert {int(key): (name, kind) for key, name, kind, _ in rows("Body keys")} == KEYS


def test_the_kinds_are_as_documented():
    documented = {}
    for number, name, body in rows("Kinds"):
        required, _, optional = body.removeprefix("R ").partition(";")
        documented[int(number)] = (name, numbers(required), numbers(optional))
    assert documented == {n: (k.name, set(k.required), set(k.optional)) for n, k in KINDS.items()}


def test_the_batch_statement_is_as_documented():
    assert {int(key): name for key, name, _, _ in rows("Batch")} == statement.STATEMENT


def test_the_receipts_headers_are_as_documented():
    documented = {int(key): name for key, name, _, _ in rows("Receipt")}
    assert documented == {**receipt.PROTECTED, **receipt.UNPROTECTED}


@pytest.mark.parametrize("module", [enrolment, presence, record, signedfile, statement])
def test_the_content_types_are_as_documented(module):
    assert f'"{module.CONTENT_TYPE}"' in DOCS.read_text("utf-8").replace("`", '"')


def test_every_constant_names_its_key_and_kind():
    for table, prefix, name_of in (
        (KEYS, "KEY_", lambda row: row[0].upper()),
        (KINDS, "KIND_", lambda row: row.name),
    ):
        for number, row in table.items():
            assert getattr(kinds, prefix + name_of(row)) == number


# --- round trips ---

UINTS = st.integers(0, (1 << 64) - 1)
BY_TYPE = {
    "text": st.text(max_size=20),
    "uint": UINTS,
    "bool": st.booleans(),
    "bytes": st.binary(max_size=90),
    "32 or 65 bytes": st.binary(min_size=32, max_size=32) | st.binary(min_size=65, max_size=65),
    "{text: any}": st.dictionaries(st.text(max_size=5), UINTS | st.binary(max_size=9), max_size=3),
    "{uint: uint}": st.dictionaries(UINTS, UINTS, max_size=4),
    "[text, ...]": st.lists(st.text(max_size=12), max_size=4),
    "[uint, uint, uint]": st.lists(UINTS, min_size=3, max_size=3),
}


def values_of(type_name: str):
    if sized := re.fullmatch(r"(\d+) bytes", type_name):
        return st.binary(min_size=int(sized[1]), max_size=int(sized[1]))
    return BY_TYPE[type_name]


@st.composite
def bodies_of_any_kind(draw):
    kind = draw(st.sampled_from(sorted(KINDS)))
    keys = set(KINDS[kind].required)
    for key in sorted(KINDS[kind].optional):
        if draw(st.booleans()):
            keys.add(key)
    return kind, {key: draw(values_of(KEYS[key][1])) for key in sorted(keys)}


@given(bodies_of_any_kind(), UINTS.filter(bool), UINTS)
def test_what_is_built_is_parsed(made, number, time_ms):
    kind, body = made
    built = make(kind, body, number=number, time_ms=time_ms)
    assert parse(built.raw, KEY) == built
    assert built.body == body
    assert record.read(built.raw, {cose.key_id(KEY): KEY}) == built


def test_signing_twice_gives_the_same_bytes():
    assert make().raw == make().raw


# --- what an INTENT leaves out ---

OTHERWISE = {8: 3, 9: 2, 10: 4, 13: bytes(range(12)), 14: 0x31, 20: b"\x20\x25", 25: 2}


@pytest.mark.parametrize("said", [set(), *({key} for key in OTHERWISE), set(OTHERWISE)], ids=str)
def test_an_intent_leaves_out_what_follows_and_says_what_does_not(said):
    whole = {**record.whole_intent(intent_body()), **{key: OTHERWISE[key] for key in said}}
    assert whole.keys() >= OTHERWISE.keys()
    short = record.short_intent(whole)
    assert short.keys() & OTHERWISE.keys() == said
    assert record.whole_intent(parse(make(body=short).raw, KEY).body) == whole


@pytest.mark.parametrize("key", [22, 23, 24])
def test_amounts_that_no_card_takes_are_no_amounts(key):
    """A record may hold 2**32 fen; the four bytes of a command cannot."""
    body = record.short_intent(record.whole_intent(intent_body()))
    assert len(record.whole_intent({**body, key: (1 << 32) - 1})[13]) == 12
    with pytest.raises(RecordError, match="no room"):
        record.whole_intent({**body, key: 1 << 32})


# --- strict on writing ---


@pytest.mark.parametrize("kind", KINDS)
def test_no_required_key_may_be_missing(kind):
    body = {key: EXAMPLES[KEYS[key][1]] for key in KINDS[kind].required}
    make(kind, body)
    for key in body:
        short = {other: value for other, value in body.items() if other != key}
        with pytest.raises(RecordError, match=f"lacks {KEYS[key][0]}"):
            make(kind, short)


@pytest.mark.parametrize("kind", KINDS)
def test_no_foreign_key_is_written(kind):
    body = {key: EXAMPLES[KEYS[key][1]] for key in KINDS[kind].required}
    foreign = (set(KEYS) | {99}) - KINDS[kind].required - KINDS[kind].optional
    for key in foreign:
        with pytest.raises(RecordError, match="holds no"):
            make(kind, {**body, key: 0})


EXAMPLES = {
    "text": "x",
    "uint": 1,
    "bool": True,
    "bytes": b"x",
    "32 or 65 bytes": bytes(65),
    "{text: any}": {"x": [1]},
    "{uint: uint}": {1: 2},
    "[text, ...]": ["x", "y"],
    "[uint, uint, uint]": [0, 1, 2],
    **{f"{length} bytes": bytes(length) for length in (2, 4, 6, 7, 12, 13, 16, 32)},
}
WRONG = {
    "text": [b"x", 1, None],
    "uint": [-1, 1 << 64, True, "1", None],
    "bool": [0, 1, None],
    "bytes": ["x", [1], None],
    "32 or 65 bytes": [bytes(31), bytes(33), bytes(64), bytes(66), "x" * 32],
    "{text: any}": [{1: 2}, [], None],
    "{uint: uint}": [{"x": 1}, {1: -1}, []],
    "[text, ...]": ["x", [1], ["x", b"y"], None],
    "[uint, uint, uint]": [[0, 1], [0, 1, 2, 3], [0, 1, -2], (0, 1, 2)],
}


@pytest.mark.parametrize("key", KEYS)
def test_no_key_takes_another_type(key):
    """Neither on writing nor, with a good signature, on reading."""
    holders = (n for n, row in KINDS.items() if key in row.required or key in row.optional)
    kind = next(holders, KIND_SERVICE)  # what is retired may stand in an old one
    body = {each: EXAMPLES[KEYS[each][1]] for each in KINDS[kind].required}
    type_name = KEYS[key][1]
    length = re.fullmatch(r"(\d+) bytes", type_name)
    wrongs = WRONG.get(type_name) or [bytes(int(length[1]) - 1), bytes(int(length[1]) + 1), "x" * 6]
    right = make(kind, body)
    for value in wrongs:
        with pytest.raises(RecordError, match=KEYS[key][0]):
            make(kind, {**body, key: value})
        if value not in (1 << 64, (0, 1, 2)):  # have no encoding of their own
            with pytest.raises(RecordError, match=KEYS[key][0]):
                parse(sign({**envelope_of(right), 9: {**body, key: value}}), KEY)


@pytest.mark.parametrize("key", [72, 73, 82])
def test_what_is_retired_is_read_and_never_written(key):
    body = {each: EXAMPLES[KEYS[each][1]] for each in KINDS[KIND_SERVICE].required}
    old = {**body, key: EXAMPLES[KEYS[key][1]]}
    with pytest.raises(RecordError, match=f"holds no {KEYS[key][0]}"):
        make(KIND_SERVICE, old)
    raw = sign({**envelope_of(make(KIND_SERVICE, body)), 9: old})
    assert parse(raw, KEY).body == old


def test_an_unknown_kind_is_not_written():
    with pytest.raises(RecordError, match="kind 99"):
        make(99, {})


@pytest.mark.parametrize(
    "changed",
    [
        {"number": 0},
        {"number": -1},
        {"unit": b"u"},
        {"boot": None},
        {"time_ms": 1.5},
        {"previous": bytes(31)},
        {"trust": "1"},
    ],
)
def test_a_wrong_envelope_is_not_written(changed):
    with pytest.raises(RecordError):
        make(**changed)


def test_a_record_lies_within_one_page_of_the_store():
    with pytest.raises(RecordError, match="at most 3072"):
        make(kinds.KIND_TAMPER, {kinds.KEY_DETAIL: "x" * 3000})


# --- tolerant on reading, of the unknown only ---


def test_unknown_kinds_and_keys_are_kept():
    made = make(kinds.KIND_VOID, void_body(1))
    later = {**envelope_of(made), 6: 77, 9: {1: 1, 200: "later"}, 40: ["later"]}
    found = parse(sign(later), KEY)
    assert (found.kind, found.body, found.kind_name) == (77, {1: 1, 200: "later"}, "KIND 77")
    known = {**envelope_of(made), 9: {**void_body(1), 200: {"x": 1}}}
    assert parse(sign(known), KEY).body[200] == {"x": 1}


@pytest.mark.parametrize("key", ENVELOPE)
def test_the_envelope_is_whole_or_refused(key):
    envelope = envelope_of(make())
    for wrong in ({**envelope, key: None}, {k: v for k, v in envelope.items() if k != key}):
        with pytest.raises(RecordError, match=ENVELOPE[key][0]):
            parse(sign(wrong), KEY)


@pytest.mark.parametrize("payload", [b"", b"\x01", b"\x80", b"\xa0", b"\xa1\x18\x01\x01"])
def test_a_signed_payload_that_is_no_record_is_refused(payload):
    with pytest.raises(RecordError):
        parse(cose.sign1(payload, TEST_DEVICE_KEY, record.CONTENT_TYPE), KEY)


def test_a_required_key_is_required_of_a_signed_record_too():
    body = done_body(1)
    del body[kinds.KEY_OUTCOME]
    with pytest.raises(RecordError, match="outcome"):
        parse(sign({**envelope_of(make(kinds.KIND_DONE, done_body(1))), 9: body}), KEY)


@pytest.mark.parametrize("at", range(len(make().raw)))
def test_every_flipped_byte_of_an_intent_is_found(at):
    raw = bytearray(make().raw)
    raw[at] ^= 0x10
    with pytest.raises(RecordError):
        parse(bytes(raw), KEY)


def test_a_stranger_signs_nothing_of_ours():
    forged = build(kinds.KIND_VOID, void_body(1), signer=TEST_OFFICE_KEY, **ENVELOPE_VALUES)
    with pytest.raises(RecordError, match="another key"):
        parse(forged.raw, KEY)
    with pytest.raises(RecordError, match="unknown key"):
        record.read(forged.raw, {cose.key_id(KEY): KEY})


@pytest.mark.parametrize("raw", [None, 5, "text", b"", b"\xd2"])
def test_what_is_no_message_is_refused(raw):
    with pytest.raises(RecordError):
        record.read(raw, {cose.key_id(KEY): KEY})
