"""Issue 6.2: T=0 as a machine (ISO/IEC 7816-3:2006 10.3): procedure bytes, NULL, bounds."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware.drivers.t0 import MAX_NULLS, T0, wait_s
from firmware.outcome import ProtocolError

SELECT = bytes.fromhex("00A4000002DF04")
READ = bytes.fromhex("00B2010403")
READ_ALL = bytes.fromhex("00B2010400")

# (command, [(the card's characters, what then leaves)], answer)
TALKS = [
    pytest.param(SELECT, [("A4", "DF04"), ("9000", "")], "9000", id="all of the data"),
    pytest.param(SELECT, [("5B", "DF"), ("5B", "04"), ("6112", "")], "6112", id="byte by byte"),
    pytest.param(SELECT, [("5B", "DF"), ("A4", "04"), ("9000", "")], "9000", id="one, then all"),
    pytest.param(SELECT, [("6060A4", "DF04"), ("60609000", "")], "9000", id="NULLs everywhere"),
    pytest.param(SELECT, [("6A82", "")], "6A82", id="refused before the data"),
    pytest.param(SELECT, [("5B", "DF"), ("6700", "")], "6700", id="refused amid the data"),
    pytest.param(READ, [("B20102039000", "")], "0102039000", id="data at once"),
    pytest.param(READ, [("B2", ""), ("01", ""), ("0203", ""), ("90", ""), ("00", "")],
                 "0102039000", id="each character alone"),
    pytest.param(READ, [("4D014D02604D039000", "")], "0102039000", id="data byte by byte"),
    pytest.param(READ, [("4D01B202039000", "")], "0102039000", id="one, then the rest"),
    pytest.param(READ, [("B26060609000", "")], "6060609000", id="data that look like NULL"),
    pytest.param(READ, [("6C40", "")], "6C40", id="6C is handed up"),
    pytest.param(READ, [("6103", "")], "6103", id="61 is handed up"),
    pytest.param(READ, [("6060", ""), ("9000", "")], "9000", id="no data"),
    pytest.param(READ, [("4D019000", "")], "019000", id="fewer than asked"),
    pytest.param(READ, [("9060", "")], "9060", id="SW2 of 60 is no NULL"),
    pytest.param(READ_ALL, [("B2" + "AA" * 256 + "9000", "")], "AA" * 256 + "9000",
                 id="P3 00: 256 bytes and SW"),
]  # fmt: skip


@pytest.mark.parametrize(("command", "talk", "answer"), TALKS)
def test_what_the_card_says_decides_what_leaves(command, talk, answer):
    machine = T0()
    assert machine.begin(command) == command[:5]
    for says, leaves in talk:
        assert machine.answer is None
        assert machine.received(bytes.fromhex(says)) == bytes.fromhex(leaves)
    assert machine.answer == bytes.fromhex(answer)
    assert machine.state == "over"


@pytest.mark.parametrize(("command", "talk", "answer"), TALKS)
def test_how_the_characters_are_cut_does_not_matter(command, talk, answer):
    machine = T0()
    machine.begin(command)
    for says, leaves in talk:
        out = b"".join(machine.received(bytes([each])) for each in bytes.fromhex(says))
        assert out == bytes.fromhex(leaves)
    assert machine.answer == bytes.fromhex(answer)


def reached(state, command):
    machine = T0()
    machine.begin(command)
    if state == "data":
        machine.received(bytes([command[1]]))
    if state == "sw2":
        machine.received(b"\x90")
    assert machine.state == state
    return machine


# What a character is to a command whose INS is B2 (or A4), by its value.
def kind_of(value, ins):
    if value == 0x60:
        return "NULL"
    if value >> 4 in (6, 9):
        return "SW1"
    return {ins: "ACK", ins ^ 0xFF: "ACK one"}.get(value, "other")


# (state, kind) -> (state after, what leaves); None: the card breaks the protocol
INCOMING = {
    ("procedure", "NULL"): ("procedure", b""),
    ("procedure", "SW1"): ("sw2", b""),
    ("procedure", "ACK"): ("data", b""),
    ("procedure", "ACK one"): ("data", b""),
    ("procedure", "other"): None,
}
OUTGOING = {
    **INCOMING,
    ("procedure", "ACK"): ("procedure", b"\xdf\x04"),
    ("procedure", "ACK one"): ("procedure", b"\xdf"),
}


@pytest.mark.parametrize("value", range(256))
def test_every_character_in_every_state(value):
    for command, table, states in (
        (READ, INCOMING, ("procedure", "data", "sw2")),
        (SELECT, OUTGOING, ("procedure", "sw2")),
    ):
        for state in states:
            machine = reached(state, command)
            expected = {"data": ("data", b""), "sw2": ("over", b"")}.get(state)
            if state == "procedure":
                expected = table["procedure", kind_of(value, command[1])]
            if expected is None:
                with pytest.raises(ProtocolError, match=f"{value:02X} is no procedure byte"):
                    machine.received(bytes([value]))
                continue
            assert machine.received(bytes([value])) == expected[1]
            assert machine.state == expected[0]


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (SELECT, "A4A4"),  # more, before the data left
        (SELECT, "900000"),  # a character after SW2
        (READ, "B2010203B2"),  # an acknowledgement where no byte is left
        (READ, "B20102034D"),
        (READ, "00"),
    ],
)
def test_a_card_that_breaks_the_protocol_is_told_from_one_that_refuses(command, says):
    machine = T0()
    machine.begin(command)
    with pytest.raises(ProtocolError):
        machine.received(bytes.fromhex(says))


def test_more_data_than_the_command_has_are_not_asked_twice():
    machine = T0()
    machine.begin(SELECT)
    assert machine.received(b"\xa4") == b"\xdf\x04"
    with pytest.raises(ProtocolError, match="none is left"):
        machine.received(b"\xa4")


def test_null_is_bounded():
    machine = T0()
    machine.begin(READ)
    machine.received(b"\x60" * MAX_NULLS)
    with pytest.raises(ProtocolError, match="without an end"):
        machine.received(b"\x60")


@pytest.mark.parametrize(
    "command",
    ["00A40000", "00A4000002DF", "00A4000002DF0400", "00A40000000101", "0060000000",
     "0090000000", "FF10180000"],
)  # fmt: skip
def test_what_t_0_cannot_carry_is_refused(command):
    with pytest.raises(ValueError, match="T=0"):
        T0().begin(bytes.fromhex(command))


def test_the_waiting_time_is_that_of_10_2():
    assert wait_s(10, 372, 3_571_200) == pytest.approx(1.0)


@settings(max_examples=400, deadline=None)
@given(st.binary(max_size=300), st.sampled_from([SELECT, READ, READ_ALL]))
def test_a_card_that_says_anything_neither_crashes_nor_fills_the_memory(said, command):
    """A fuzzer: an answer of 2..258 bytes, a ProtocolError, or a wait for more."""
    machine = T0()
    machine.begin(command)
    sent = 0
    for each in said:
        try:
            sent += len(machine.received(bytes([each])))
        except ProtocolError:
            break
        assert len(machine._data) <= 256
    assert sent <= len(command) - 5
    assert machine.answer is None or 2 <= len(machine.answer) <= 258
