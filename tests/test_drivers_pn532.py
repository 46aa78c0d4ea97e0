"""Issue 6.3: frames, targets and errors of a PN532 without a line (UM0701-02)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware.drivers import pn532
from simulator.pn532_device import _wrap

VECTORS = [  # command code, data, the frame on the line
    (pn532.GET_FIRMWARE_VERSION, "", "0000FF02FED4022A00"),
    (pn532.SAM_CONFIGURATION, "010000", "0000FF05FBD4140100001700"),
    (pn532.IN_LIST_PASSIVE_TARGET, "0100", "0000FF04FCD44A0100E100"),
    (pn532.IN_DATA_EXCHANGE, "0100A40400", "0000FF07F9D4400100A404004300"),
]


@pytest.mark.parametrize(("code", "data", "frame"), VECTORS)
def test_a_command_is_framed_as_the_manual_says(code, data, frame):
    assert pn532.command_frame(code, bytes.fromhex(data)).hex().upper() == frame


def test_a_command_of_more_than_255_bytes_takes_an_extended_frame():
    """6.2.1.2: FF FF, length in two bytes, their checksum."""
    frame = pn532.command_frame(pn532.IN_DATA_EXCHANGE, bytes(263))
    assert frame[:8].hex() == "0000ffffff0109f6"
    assert len(frame) == 8 + 265 + 2
    with pytest.raises(ValueError, match="265"):
        pn532.command_frame(pn532.IN_DATA_EXCHANGE, bytes(264))


def test_ack_nack_and_syntax_error_are_told_apart():
    parser = pn532.FrameParser()
    stream = pn532.ACK + pn532.NACK + bytes.fromhex("0000FF01FF7F8100")
    assert [each.kind for each in parser.feed(stream)] == [
        pn532.KIND_ACK,
        pn532.KIND_NACK,
        pn532.KIND_SYNTAX,
    ]
    assert not parser.is_inside


@given(st.lists(st.binary(min_size=1, max_size=264), max_size=4), st.data())
def test_answers_come_through_however_they_are_cut(bodies, data):
    """The frames are the emulated chip's own: both sides were written apart."""
    stream = b"".join(pn532.ACK + _wrap(b"\xd5" + body) for body in bodies)
    parser, found = pn532.FrameParser(), []
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        found += parser.feed(stream[:size])
        stream = stream[size:]
    assert [each.body for each in found if each.kind == pn532.KIND_ANSWER] == bodies
    assert [each.kind for each in found].count(pn532.KIND_ACK) == len(bodies)


@given(st.lists(st.binary(max_size=600), max_size=8))
def test_any_bytes_are_frames_or_nothing_and_no_more_than_one_is_held(chunks):
    parser = pn532.FrameParser()
    for chunk in chunks:
        for frame in parser.feed(chunk):
            assert frame.kind in range(5)
            assert len(frame.body) < pn532.MAX_FRAME
        assert len(parser._held) <= 10 + pn532.MAX_FRAME


@given(st.binary(min_size=2, max_size=40), st.integers(0, 7), st.data())
def test_a_flipped_bit_never_makes_another_answer(body, bit, data):
    frame = bytearray(_wrap(b"\xd5" + body))
    at = data.draw(st.integers(3, len(frame) - 2))
    frame[at] ^= 1 << bit
    found = pn532.FrameParser().feed(bytes(frame))
    assert [each for each in found if each.kind == pn532.KIND_ANSWER] == []


def test_what_follows_a_frame_in_an_i2c_read_is_cut_off():
    frame = _wrap(b"\xd5\x03\x32")
    assert pn532.first_frame(frame + pn532.ACK * 3) == frame[:-1]
    assert pn532.first_frame(pn532.ACK + frame) == pn532.ACK[:-1]
    assert pn532.first_frame(frame[:-4]) == frame[:-4]
    assert pn532.first_frame(b"\x80" * 5) == b"\x80" * 5


ATS = "127880A002" + "00" * 13
A_WITH_ATS = "01004420" + "0704112233445566" + ATS
A_PLAIN = "02000408" + "0411223344"
B = "01" + "50" + "AABBCCDD" + "01020304" + "008181" + "01" + "10"


def test_targets_of_both_types():
    first, second = pn532.targets(pn532.TYPE_A, bytes.fromhex("02" + A_WITH_ATS + A_PLAIN))
    assert (first.number, first.identifier.hex()) == (1, "04112233445566")
    assert first.ats == bytes.fromhex(ATS)
    assert first.speaks_14443_4
    assert (second.number, second.identifier.hex(), second.ats) == (2, "11223344", None)
    assert not second.speaks_14443_4
    (b,) = pn532.targets(pn532.TYPE_B, bytes.fromhex("01" + B))
    assert (b.identifier.hex(), b.attrib.hex(), len(b.atqb)) == ("aabbccdd", "10", 12)
    assert b.speaks_14443_4


@pytest.mark.parametrize("kind", [pn532.TYPE_A, pn532.TYPE_B])
@pytest.mark.parametrize("listed", ["", "00", "01" + A_WITH_ATS, "01" + B, "02" + A_WITH_ATS])
def test_a_list_of_cards_is_whole_or_refused_at_every_cut(kind, listed):
    whole = bytes.fromhex(listed)
    for size in range(len(whole) + 2):
        part = (whole + b"\x00")[:size]
        try:
            found = pn532.targets(kind, part)
        except ValueError:
            continue
        assert len(found) == part[0]
        assert size in (1, len(whole))


@given(st.sampled_from((pn532.TYPE_A, pn532.TYPE_B)), st.binary(max_size=120))
def test_any_list_of_cards_is_at_most_two_or_refused(kind, data):
    try:
        found = pn532.targets(kind, data)
    except ValueError:
        return
    assert len(found) <= 2


def test_every_status_has_a_kind_and_zero_is_none():
    assert pn532.error_of(0x00) is None
    assert pn532.error_of(0x40) is None  # more to come is no error
    for status in range(1, 0x40):
        kind, words = pn532.error_of(status)
        assert kind in ("removed", "silent", "reader")
        assert words
    assert pn532.error_of(0x01)[0] == "silent"
    assert pn532.error_of(0x2B)[0] == "removed"
    assert pn532.error_of(0x3F) is pn532.UNKNOWN_ERROR
