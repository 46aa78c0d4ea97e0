"""Frames of the serial line: a frame with a bad checksum (issue "Bad input") costs that frame."""

import zlib

import cbor2
import pytest
from cobs import cobs
from hypothesis import given
from hypothesis import strategies as st

from firmware.uplink import frame
from firmware.uplink.frame import FrameReader, Message, decode_frame, encode_frame

_ITEMS = st.one_of(
    st.integers(0, 2**64 - 1), st.binary(max_size=600), st.text(max_size=40), st.none()
)
_UINTS = st.integers(0, 2**64 - 1)
_MESSAGES = st.builds(Message, _UINTS, _UINTS, st.lists(_ITEMS, max_size=5).map(tuple))
NEXT = Message(2, 3)


def stuffed(raw: bytes) -> bytes:
    return cobs.encode(raw + zlib.crc32(raw).to_bytes(4, "big"))


def test_one_frame_byte_for_byte():
    """[1, 7] is 82 01 07 with CRC-32 9A8FB21E; COBS puts the length of the run in front."""
    expected = bytes.fromhex("00 08 820107 9A8FB21E 00")
    assert encode_frame(Message(1, 7)) == expected


@given(st.lists(_MESSAGES, max_size=4), st.integers(1, 40))
def test_every_message_survives_any_cutting(messages, step):
    line = b"".join(encode_frame(each) for each in messages)
    reader = FrameReader()
    got = []
    for at in range(0, len(line), step):
        got += reader.feed(line[at : at + step])
    assert got == messages
    assert reader.damaged == 0


@given(_MESSAGES, st.data())
def test_a_flipped_bit_never_passes(message, data):
    good = bytearray(encode_frame(message))
    at = data.draw(st.integers(1, len(good) - 2))
    good[at] ^= 1 << data.draw(st.integers(0, 7))
    reader = FrameReader()
    assert reader.feed(bytes(good)) == []
    assert reader.damaged >= 1
    assert reader.feed(encode_frame(NEXT)) == [NEXT]


@given(st.binary(max_size=300))
def test_noise_before_a_frame_does_not_spoil_it(noise):
    reader = FrameReader()
    assert reader.feed(noise + encode_frame(NEXT))[-1:] == [NEXT]


def test_a_half_frame_before_a_frame_does_not_spoil_it():
    reader = FrameReader()
    half = encode_frame(Message(4, 1, (b"x" * 500,)))[:300]
    assert reader.feed(half + encode_frame(NEXT)) == [NEXT]
    assert reader.damaged == 1


def test_an_endless_frame_is_not_held():
    reader = FrameReader()
    for _ in range(1000):
        assert reader.feed(b"\x55" * 1000) == []
        assert len(reader._held) < 2 * frame.MAX_MESSAGE
    assert reader.feed(b"\x00" + encode_frame(NEXT)) == [NEXT]
    assert reader.damaged == 1


@pytest.mark.parametrize(
    "raw",
    [
        cbor2.dumps([1, 2]) + b"\x00",  # something behind
        bytes.fromhex("82011800"),  # 0 in two bytes
        cbor2.dumps([1]),
        cbor2.dumps({1: 2}),
        cbor2.dumps([1, -2]),
        cbor2.dumps([1, 2, [3]]),
        cbor2.dumps([1, 2, 1.5]),
        cbor2.dumps([1, 2, True]),
        cbor2.dumps([1, 2, 1 << 64]),
        cbor2.dumps(["1", 2]),
        bytes.fromhex("8301 02 d82361 28".replace(" ", "")),  # tag 35, a regular expression
        b"\x81" * 4000,
        b"\x82\x01",
        b"",
    ],
)
def test_what_is_no_message_is_refused(raw):
    """A right checksum does not make a message."""
    with pytest.raises(ValueError):  # noqa: PT011
        decode_frame(stuffed(raw))


def test_too_long_is_refused_on_both_sides():
    chunk = b"x" * frame.MAX_MESSAGE
    with pytest.raises(ValueError, match="at most"):
        encode_frame(Message(131, 1, (chunk,)))
    with pytest.raises(ValueError, match="too long"):
        decode_frame(stuffed(cbor2.dumps([131, 1, chunk])))


def test_the_largest_answer_fits():
    """[131, id, batch, offset, chunk] with every number at its largest."""
    largest = Message(131, 2**64 - 1, (2**64 - 1, 2**64 - 1, b"x" * frame.MAX_CHUNK))
    assert FrameReader().feed(encode_frame(largest)) == [largest]
