"""Issue D2: the frames of a serial CCID reader, from bytes that may be anything."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from firmware.drivers.ccid_line import (
    ASK_AGAIN,
    AskedAgain,
    Damaged,
    Message,
    MoreTime,
    SlotChange,
    Unframer,
    frame,
)

STATUS = bytes.fromhex("81000000000001000000")
STATUS_FRAMED = bytes.fromhex("0306 81000000000001000000 85")
ANSWER = bytes.fromhex("80020000000002000000 9000")

VECTORS = [
    ("a message", STATUS_FRAMED, [Message(STATUS)]),
    ("two of them", STATUS_FRAMED + frame(ANSWER), [Message(STATUS), Message(ANSWER)]),
    ("asked again", bytes.fromhex("031516"), [AskedAgain()]),
    ("asked again, damaged", bytes.fromhex("031517"), [Damaged("a wrong LRC")]),
    ("a card came to slot 0", b"\x50\x03", [SlotChange(3)]),
    ("a card left slot 1", b"\x50\x08", [SlotChange(8)]),
    ("a card came before an answer", b"\x50\x03" + STATUS_FRAMED, [SlotChange(3), Message(STATUS)]),
    ("T=0 needs time", b"\x80\xff" + STATUS_FRAMED, [MoreTime(), MoreTime(), Message(STATUS)]),
    ("noise before", b"\x00\x41\x7f" + STATUS_FRAMED, [Message(STATUS)]),
    ("a SYNC of nothing", b"\x03\x41" + STATUS_FRAMED, [Message(STATUS)]),
    ("SYNC twice", b"\x03" + STATUS_FRAMED, [Message(STATUS)]),
    ("a wrong LRC", STATUS_FRAMED[:-1] + b"\x00", [Damaged("a wrong LRC")]),
    ("a bit turned", STATUS_FRAMED[:7] + b"\x01" + STATUS_FRAMED[8:], [Damaged("a wrong LRC")]),
    ("too long", bytes.fromhex("0306 80 FC000100"), [Damaged("a length that no message has")]),
    ("longer by one", bytes.fromhex("0306 80 06010000"), [Damaged("a length that no message has")]),
    ("without its end", STATUS_FRAMED[:-1], []),
]


@pytest.mark.parametrize(
    ("wire", "events"), [row[1:] for row in VECTORS], ids=[r[0] for r in VECTORS]
)
def test_d2_bytes_of_the_line_are_these_events(wire: bytes, events: list[object]) -> None:
    assert Unframer().feed(wire) == events
    one_by_one = Unframer()
    assert [each for byte in wire for each in one_by_one.feed(bytes((byte,)))] == events


def test_d2_the_frame_of_a_message_is_these_bytes() -> None:
    assert frame(STATUS) == STATUS_FRAMED
    assert bytes.fromhex("031516") == ASK_AGAIN


def test_d2_a_message_whose_end_never_comes_is_given_up() -> None:
    unframer = Unframer()
    assert unframer.feed(STATUS_FRAMED[:9]) == []
    assert unframer.is_inside
    assert unframer.give_up() == [Damaged("a message without its end")]
    assert not unframer.is_inside
    assert unframer.give_up() == []
    assert unframer.feed(STATUS_FRAMED) == [Message(STATUS)]


def test_d2_a_slot_change_without_its_end_is_no_message() -> None:
    unframer = Unframer()
    assert unframer.feed(b"\x50") == []
    assert unframer.give_up() == []
    assert unframer.feed(STATUS_FRAMED) == [Message(STATUS)]


@pytest.mark.parametrize(
    ("states", "changed"),
    [(0x02, [0]), (0x03, [0]), (0x08, [1]), (0x0F, [0, 1]), (0x05, []), (0x80, [3])],
)
def test_d2_a_slot_change_names_its_slots(states: int, changed: list[int]) -> None:
    assert [slot for slot in range(4) if SlotChange(states).changed(slot)] == changed


@given(st.lists(st.binary(min_size=10, max_size=271), max_size=4), st.integers(1, 400))
@example([b"\x03" * 10], 1)
def test_d2_whatever_a_message_holds_comes_through_in_any_pieces(
    bodies: list[bytes], piece: int
) -> None:
    messages = [
        bytes((0x80,)) + (len(each) - 10).to_bytes(4, "little") + each[5:] for each in bodies
    ]
    wire = b"".join(frame(each) for each in messages)
    unframer = Unframer()
    events = [
        event for at in range(0, len(wire), piece) for event in unframer.feed(wire[at : at + piece])
    ]
    assert events == [Message(each) for each in messages]


@given(st.lists(st.binary(max_size=600), max_size=6))
def test_d2_any_bytes_at_all_neither_crash_nor_grow_nor_deafen(pieces: list[bytes]) -> None:
    """After anything, and the silence that ends it, a message is understood."""
    unframer = Unframer()
    for piece in pieces:
        unframer.feed(piece)
        assert len(unframer._held) <= 274
    unframer.give_up()
    assert unframer.feed(STATUS_FRAMED) == [Message(STATUS)]
