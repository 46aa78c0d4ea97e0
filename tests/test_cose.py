"""Deterministic CBOR and COSE_Sign1 (issue: "a COSE_Sign1 over deterministic CBOR")."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st
from journal_maker import TEST_DEVICE_KEY, TEST_OFFICE_KEY

from firmware.journal import cose
from firmware.journal.cose import CoseError

TYPE = "application/test"
KEY = TEST_DEVICE_KEY.public_key

UINTS = st.integers(0, (1 << 64) - 1)
LEAVES = st.none() | st.booleans() | UINTS | UINTS.map(lambda n: ~n) | st.binary() | st.text()
VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(UINTS, inner, max_size=4)
        | st.dictionaries(st.text(), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(VALUES)
def test_what_is_encoded_is_decoded(value):
    assert cose.decode(cose.encode(value)) == value


@given(st.binary(max_size=64))
def test_any_bytes_are_a_canonical_value_or_rejected(raw):
    try:
        value = cose.decode(raw)
    except CoseError:
        return
    assert cose.encode(value) == raw


def test_map_keys_are_in_bytewise_order():
    """RFC 8949 4.2.1 lists 10, 100, -1, "z", "aa" in this order; length-first would not."""
    value = {"aa": 0, -1: 0, 10: 0, "z": 0, 100: 0}
    assert cose.encode(value).hex() == "a5" + "0a00" + "186400" + "2000" + "617a00" + "62616100"


@given(st.dictionaries(UINTS | UINTS.map(lambda n: ~n) | st.text(), st.none(), max_size=8))
def test_order_of_keys_does_not_depend_on_how_the_map_was_made(value):
    assert cose.encode(value) == cose.encode(dict(reversed(value.items())))


NOT_CANONICAL = {
    "integer in a longer form": "1817",
    "length in a longer form": "5801ff",
    "indefinite array": "9f01ff",
    "indefinite text": "7f6161ff",
    "keys out of order": "a202000100",
    "key twice": "a201000100",
    "value after the value": "0000",
    "cut short": "4401",
    "nothing": "",
    "float": "f90000",
    "date tag": "c000",
    "big integer": "c24101",
    "undefined": "f7",
    "simple value": "e0",
    "text that is no UTF-8": "61ff",
    "map key that is an array": "a18000",
    "map key that is a boolean": "a1f500",
    "reserved head": "1c",
    "length beyond the end": "5bffffffffffffffff",
    "array longer than memory": "9bffffffffffffffff",
    "nested too deep": "81" * 12 + "00",
    "nested far too deep": "81" * 100_000 + "00",
    "regular expression": "d8236128",
    "shared reference": "d81d00",
}


@pytest.mark.parametrize("name", NOT_CANONICAL)
def test_what_is_not_canonical_is_rejected(name):
    with pytest.raises(CoseError):
        cose.decode(bytes.fromhex(NOT_CANONICAL[name]))


def test_a_value_beyond_the_limit_is_rejected_unread():
    with pytest.raises(CoseError, match="more than 8"):
        cose.decode(b"\x48" + bytes(8), limit=8)


@pytest.mark.parametrize("value", [1.5, {1.0: 0}, {True: 0}, 1 << 64, object(), {1: {2, 3}}])
def test_what_has_no_place_in_a_record_is_not_encoded(value):
    with pytest.raises(CoseError):
        cose.encode(value)


def test_a_message_yields_its_payload_to_the_right_key_only():
    raw = cose.sign1(b"payload", TEST_DEVICE_KEY, TYPE)
    assert cose.verify1(raw, KEY, TYPE) == b"payload"
    with pytest.raises(CoseError, match="another key"):
        cose.verify1(raw, TEST_OFFICE_KEY.public_key, TYPE)
    with pytest.raises(CoseError, match="protected header"):
        cose.verify1(raw, KEY, "application/other")


def test_a_stranger_who_names_our_key_is_found_out():
    """The key id is not signed: a forger may write ours."""
    own = cose.key_id(TEST_OFFICE_KEY.public_key)
    raw = cose.sign1(b"payload", TEST_OFFICE_KEY, TYPE).replace(own, cose.key_id(KEY))
    with pytest.raises(CoseError, match="signature is wrong"):
        cose.verify1(raw, KEY, TYPE)


@pytest.mark.parametrize("at", range(len(cose.sign1(b"payload", TEST_DEVICE_KEY, TYPE))))
def test_every_flipped_byte_is_found(at):
    raw = bytearray(cose.sign1(b"payload", TEST_DEVICE_KEY, TYPE))
    raw[at] ^= 0x01
    with pytest.raises(CoseError):
        cose.verify1(bytes(raw), KEY, TYPE)


def test_the_unsigned_header_leaves_no_freedom():
    """One record, one form: otherwise its digest could be changed without its signature."""
    protected, unprotected, payload, signature = cose.decode(
        cose.sign1(b"payload", TEST_DEVICE_KEY, TYPE)[1:]
    )
    for other in ({}, {**unprotected, 5: b""}, {4: unprotected[4] + b"\0"}, {4: "text"}):
        raw = b"\xd2" + cose.encode([protected, other, payload, signature])
        with pytest.raises(CoseError):
            cose.verify1(raw, KEY, TYPE)


def test_a_message_says_what_it_claims_before_it_is_verified():
    raw = cose.sign1(b"payload", TEST_DEVICE_KEY, TYPE)
    assert cose.peek1(raw) == (TYPE, cose.key_id(KEY), b"payload")


@given(st.binary(max_size=80) | st.binary(max_size=40).map(lambda raw: b"\xd2\x84" + raw))
def test_garbage_is_no_message(raw):
    for read in (lambda: cose.peek1(raw), lambda: cose.verify1(raw, KEY, TYPE)):
        with pytest.raises(CoseError):
            read()


def test_a_public_key_of_a_wrong_length_is_refused():
    raw = cose.sign1(b"", TEST_DEVICE_KEY, TYPE).replace(cose.key_id(KEY), cose.key_id(b"short"))
    with pytest.raises(CoseError, match="32 bytes"):
        cose.verify1(raw, b"short", TYPE)


@given(
    st.lists(st.binary(max_size=300), min_size=1, max_size=5),
    st.binary(max_size=40),
)
def test_messages_are_carved_out_of_whatever_lies_around_them(payloads, noise):
    """Salvage: short, one-byte and two-byte lengths of the payload."""
    messages = [cose.sign1(payload, TEST_DEVICE_KEY, TYPE) for payload in payloads]
    assert list(cose.carve(noise + noise.join(messages) + noise, TYPE)) == messages
    assert list(cose.carve(b"".join(messages), "application/other")) == []


def test_a_private_key_is_neither_shown_nor_copied():
    assert repr(TEST_DEVICE_KEY) == f"<Ed25519Signer {cose.key_id(KEY).hex()}>"
    with pytest.raises(TypeError):
        pickle.dumps(TEST_DEVICE_KEY)
