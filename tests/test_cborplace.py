"""Where a CBOR item stops being canonical, and where a map departs from its shape."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware.journal import cose
from firmware.journal.cose import CoseError
from office import shape
from office.cborplace import Item, Offence, read

NESTED = "81" * 8  # eight arrays in each other: what stands inside is at level 8

WRONG = [
    ("", 0, "nothing at all"),
    ("1817", 0, "23 in two bytes"),
    ("190018", 0, "24 in three"),
    ("1a0000ffff", 0, "65535 in five"),
    ("1b00000000ffffffff", 0, "2**32 - 1 in nine"),
    ("5800", 0, "a length in two bytes"),
    ("1c", 0, "reserved additional information"),
    ("5f4101ff", 0, "indefinite length"),
    ("ff", 0, "a break"),
    ("8201f93c00", 2, "a float"),
    ("8201f9", 2, "a float cut short: its head is enough"),
    ("8201c100", 2, "a tag"),
    ("8201f7", 2, "undefined"),
    ("8201f8ff", 2, "another simple value"),
    ("820119", 3, "an argument cut short"),
    ("820142ff", 4, "a string beyond the end"),
    ("8201", 2, "an element that is missing"),
    ("a101", 2, "a value that is missing"),
    ("0100", 1, "a byte behind the item"),
    ("62c328", 0, "a text that is no UTF-8"),
    ("62c3", 2, "the same cut short: the end comes first"),
    ("a201000100", 3, "a key that repeats"),
    ("a202000100", 3, "a key that does not ascend"),
    ("a2200001 00".replace(" ", ""), 3, "a positive key behind a negative one"),
    ("a2616100 00 00".replace(" ", ""), 4, "an integer key behind a text"),
    ("a2026100 1801 00".replace(" ", ""), 4, "a key out of form before its order"),
    ("a1410000", 1, "a byte string as a key"),
    ("a1f500", 1, "true as a key"),
    (NESTED + "8100", 9, "an item at level 9"),
    (NESTED + "a10000", 9, "a key at level 9"),
]


@pytest.mark.parametrize(("raw_hex", "at", "why"), WRONG)
def test_the_first_wrong_item_is_found(raw_hex, at, why):
    raw = bytes.fromhex(raw_hex)
    for before, behind in ((b"", b""), (b"\xaa\xbb", b"\xcc")):  # inside something larger, too
        data = before + raw + behind
        with pytest.raises(Offence) as caught:
            read(data, len(before), len(before) + len(raw))
        assert caught.value.place == len(before) + at, why
    with pytest.raises(CoseError):
        cose.decode(raw)


@pytest.mark.parametrize("raw_hex", [NESTED + "00", NESTED + "80", NESTED + "a0", "a2000020 00"])
def test_what_is_right_is_read(raw_hex):
    raw = bytes.fromhex(raw_hex)
    assert read(raw, 0, len(raw)).end == len(raw)
    cose.decode(raw)


def test_null_and_bool_have_their_place_in_a_body_only():
    raw = cose.encode({8: 1, 9: {1: [None, True], "x": {2: False}}, 10: 1})
    assert read(raw, 0, len(raw), body=9).end == len(raw)
    with pytest.raises(Offence) as caught:
        read(raw, 0, len(raw), body=8)
    assert raw[caught.value.place] == 0xF6
    for outside in (None, True, False):
        raw = cose.encode([1, outside])
        with pytest.raises(Offence) as caught:
            read(raw, 0, len(raw), body=1)
        assert caught.value.place == 2
    late = cose.encode({9: {}, 10: None})
    with pytest.raises(Offence):
        read(late, 0, len(late), body=9)


KEYS = st.integers(-300, 300) | st.text(max_size=3)
VALUES = st.recursive(
    st.integers(-(1 << 64), (1 << 64) - 1) | st.binary(max_size=30) | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=9,
)


def plain(item: Item) -> object:
    """The value, built from the places."""
    if item.major == 4:
        return [plain(each) for each in item.items]
    if item.major == 5:
        return {key.value: plain(value) for key, value in item.pairs()}
    return item.value


@given(VALUES, st.data())
def test_it_reads_what_the_codec_writes_and_refuses_what_that_refuses(value, data):
    raw = cose.encode(value)
    assert plain(read(raw, 0, len(raw))) == value == cose.decode(raw)
    changed = bytearray(raw)
    at = data.draw(st.integers(0, len(raw) - 1))
    changed[at] ^= data.draw(st.integers(1, 255))
    found = place = None
    try:
        found = plain(read(bytes(changed), 0, len(raw)))
    except Offence as offence:
        place = offence.place
    if place is None:
        assert cose.decode(bytes(changed)) == found
    elif not {0xF4, 0xF5, 0xF6} & set(changed):
        with pytest.raises(CoseError):
            cose.decode(bytes(changed))
    assert place is None or 0 <= place <= len(raw)


# --- shapes ---

SHAPE = shape.keyed({1: shape.UINTS, 3: shape.TEXTS, 5: shape.PAIR}, [1, 3])
EXACT = shape.keyed({1: shape.UINTS, 3: shape.TEXTS}, [1, 3], is_exact=True)


@pytest.mark.parametrize(
    ("check", "value", "at"),
    [
        (SHAPE, {1: "x"}, 2),  # the wrong type comes before the missing key 3
        (SHAPE, {3: 1}, 0),  # the missing key 1 before the wrong type
        (SHAPE, {1: 1, 5: "x"}, 0),  # 3 is missing where 5 stands
        (SHAPE, {1: 1}, 0),
        (SHAPE, [], 0),
        (SHAPE, {1: 1, 3: "", 5: [1]}, 6),
        (SHAPE, {1: 1, 3: "", 5: [1, "x"]}, 8),
        (SHAPE, {1: 1, 3: "", -1: 1}, 5),
        (EXACT, {1: 1, 2: 1, 3: ""}, 3),
        (EXACT, {1: 1, 3: "", 9: 1}, 5),
        (EXACT, {1: 1, 3: "", "x": 1}, 5),
    ],
)
def test_the_first_departure_from_a_shape_is_found(check, value, at):
    raw = cose.encode(value)
    with pytest.raises(Offence) as caught:
        check(read(raw, 0, len(raw)))
    assert caught.value.place == at


def test_keys_of_a_later_release_are_no_departure():
    raw = cose.encode({1: 1, 2: [], 3: "", 5: [1, 2], 99: {}, "later": -1})
    SHAPE(read(raw, 0, len(raw)))
