"""Issue 6.2: T=1 as a machine (ISO/IEC 7816-3:2006 11): blocks, every state and event, bounds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware.drivers import t1, t1_block
from firmware.drivers.t1 import EVENTS, STATES, T1
from firmware.drivers.t1_block import Block, decode, encode, i_block, r_block

BLOCKS = [
    # (PCB, INF, with LRC, with CRC)
    (0xC1, "FE", "00C101FE3E", "00C101FE544E"),
    (0xE1, "FE", "00E101FE1E", "00E101FE5775"),
    (0x00, "00A4000000", "00000500A4000000A1", "00000500A4000000B8DA"),
    (0x90, "", "00900090", "009000206E"),
    (0x80, "", "00800080", "008000B5FF"),
    (0x60, "00028A01AA9000", "00600700028A01AA9000D4", "00600700028A01AA9000A633"),
    (0x00, "", "00000000", "0000003933"),
]


@pytest.mark.parametrize(("pcb", "inf", "with_lrc", "with_crc"), BLOCKS)
def test_a_block_is_coded_as_seen_on_the_line_of_real_readers(pcb, inf, with_lrc, with_crc):
    block = Block(pcb, bytes.fromhex(inf))
    for has_crc, line in ((False, with_lrc), (True, with_crc)):
        raw = bytes.fromhex(line)
        assert encode(block, has_crc=has_crc) == raw
        assert decode(raw, has_crc=has_crc) == block
        assert t1_block.missing(raw, has_crc=has_crc) == 0
        assert all(t1_block.missing(raw[:n], has_crc=has_crc) for n in range(len(raw)))


def lrc_of(text):
    body, total = bytes.fromhex(text), 0
    for each in body:
        total ^= each
    return body + bytes([total])


@pytest.mark.parametrize(
    "body",
    [
        "010000", "10C000",  # node addresses
        "000101AA", "001000",  # reserved bits of an I-block
        "008401AA", "00A000", "008400", "008101AA",  # R-blocks: reserved bits, INF
        "00C400", "00C500", "00C001AA", "00C201AA", "00E201AA",  # S-blocks: kinds, lengths
        "00C100", "00C10100", "00C101FF", "00C102FEFE",  # IFS
        "00C300", "00C30100", "00C3020101",  # WTX
        "0000FF" + "00" * 255,  # LEN FF
    ],
)  # fmt: skip
def test_what_the_standard_does_not_know_is_no_block(body):
    assert decode(lrc_of(body), has_crc=False) is None


@given(st.binary(max_size=300))
def test_whatever_comes_is_a_block_or_none_and_every_block_encodes_back(raw):
    for has_crc in (False, True):
        block = decode(raw, has_crc=has_crc)
        assert block is None or encode(block, has_crc=has_crc) == raw
        assert 0 <= t1_block.missing(raw[:3], has_crc=has_crc) <= 257
    assert t1_block.lrc(raw) == (lrc_of(raw.hex())[-1] if raw else 0)


# -- every state, every event --------------------------------------------------------------------


def reached(state):
    """A machine in that state, by the shortest way."""
    machine = T1(4)
    if state in ("ifs", "dead"):
        machine.announce()
    elif state == "sending":
        machine.begin(bytes(10))
    elif state != "idle":
        machine.begin(bytes(4))
    if state == "receiving":
        machine.received(encode(i_block(0, b"ab", has_more=True), has_crc=False))
    if state == "aborted":
        machine.received(encode(Block(0xC2), has_crc=False))
    if state in ("resynch", "dead"):
        for _ in range(3):
            machine.silence()
    assert machine.state == state
    return machine


def put(machine, event):
    """The event as a card would cause it; what the machine sends."""
    ours, theirs = machine._our, machine._their
    happens = {
        "I": i_block(theirs, b"\x90\x00"),
        "I more": i_block(theirs, b"\x01\x02", has_more=True),
        "I again": i_block(theirs ^ 1, b"\x90\x00"),
        "R next": r_block(ours ^ 1),
        "R same": r_block(ours, 1),
        "resynch": Block(0xC0), "ifs": Block(0xC1, b"\x08"),
        "abort": Block(0xC2), "wtx": Block(0xC3, b"\x05"),
        "resynch done": Block(0xE0), "ifs done": Block(0xE1, b"\xfe"),
        "abort done": Block(0xE2), "wtx done": Block(0xE3, b"\x05"),
    }  # fmt: skip
    if event == "silence":
        return machine.silence()
    raw = b"\x00\x00\x00\x01" if event == "damaged" else encode(happens[event], has_crc=False)
    return machine.received(raw)


# What leaves, and the state after it; what is not here is the last question again.
ASKED = {
    "ifs": "C1 FE", "sending": "R0", "waiting": "R0", "receiving": "R1", "aborted": "R0",
    "resynch": "C0",
}  # fmt: skip
OF_A_COMMAND = {"ifs": ("E1 08", None), "abort": ("E2", "aborted"), "wtx": ("E3 05", None)}
EXPECTED = {
    "ifs": {"ifs done": ("", "idle")},
    "sending": {**OF_A_COMMAND, "R next": ("I1+ 4", "sending"), "R same": ("I0+ 4", "sending")},
    "waiting": {
        **OF_A_COMMAND, "R same": ("I0 4", "waiting"), "I": ("", "idle"),
        "I more": ("R1", "receiving"),
    },
    "receiving": {**OF_A_COMMAND, "I": ("", "idle"), "I more": ("R0", "receiving")},
    "aborted": {
        **OF_A_COMMAND, "I": ("", "idle"), "I more": ("R1", "receiving"),
        "R next": ("", "idle"), "R same": ("", "idle"),
    },
    "resynch": {"resynch done": ("", "idle")},
}  # fmt: skip


def described(raw):
    if not raw:
        return ""
    block = decode(raw, has_crc=False)
    if block.is_i:
        return f"I{block.sequence}{'+' if block.has_more else ''} {len(block.inf)}"
    if block.is_r:
        return f"R{block.sequence}"
    return f"{block.pcb:02X} {block.inf.hex().upper()}".strip()


@pytest.mark.parametrize("event", EVENTS)
@pytest.mark.parametrize("state", STATES)
def test_every_event_in_every_state(state, event):
    machine = reached(state)
    if state in ("idle", "dead"):
        with pytest.raises(RuntimeError):
            put(machine, event)
        return
    out, after = EXPECTED[state].get(event, (ASKED[state], state))
    assert described(put(machine, event)) == out
    assert machine.state == (after or state)
    assert machine.waiting == (5 if event == "wtx" and out == "E3 05" else 1)


def test_the_table_names_only_states_and_events_and_acts_that_are_there():
    assert set(t1.TABLE) == set(STATES) - {"idle", "dead"}
    for acts in t1.TABLE.values():
        assert set(acts) <= set(EVENTS)
        assert all(hasattr(T1, f"_{name}") for name in acts.values())


@pytest.mark.parametrize(("event", "error"), [("damaged", 1), ("silence", 0), ("I again", 2)])
def test_an_r_block_says_why(event, error):
    assert put(reached("waiting"), event)[1] & 0x0F == error


# -- bounds --------------------------------------------------------------------------------------


# What ends well when it comes again and again.
HAPPY = {("ifs", "ifs done"), ("waiting", "I"), ("receiving", "I"), ("aborted", "I")}


@pytest.mark.parametrize("event", EVENTS)
@pytest.mark.parametrize("state", ["ifs", "sending", "waiting", "receiving", "aborted"])
def test_nothing_goes_on_for_ever(state, event):
    """Rule 7.4 and the bounds: the same event again and again ends, whatever it is."""
    machine = reached(state)
    for _ in range(t1.MAX_BLOCKS + 2 * t1.ATTEMPTS + 1):
        if machine.is_over:
            break
        put(machine, event)
        assert len(machine._parts) <= t1.LONGEST_ANSWER + 254
    assert machine.is_over
    succeeds = (state, event) in HAPPY
    assert (machine.failure is None) == succeeds


def test_a_block_is_sent_three_times_then_resynchronisation_three_times():
    """Rules 7.4.2 and 7.5; the command is not sent again after S(RESYNCH)."""
    machine = T1()
    sent = [machine.begin(b"\x00\xa4\x00\x00")]
    while not machine.is_over:
        sent.append(machine.silence())
    assert [described(each) for each in sent] == ["I0 4", "R0", "R0", "C0", "C0", "C0", ""]
    assert machine.state == "dead"
    with pytest.raises(RuntimeError):
        machine.begin(b"\x00\xa4\x00\x00")


def test_after_resynchronisation_the_exchange_has_failed_and_the_next_begins_at_0():
    machine = reached("resynch")
    assert put(machine, "resynch done") == b""
    assert (machine.state, machine.answer) == ("idle", None)
    assert machine.failure == "no whole block came"
    assert described(machine.begin(bytes(4))) == "I0 4"
    assert machine.failure is None


def test_an_answer_longer_than_any_cards_is_not_kept():
    machine = reached("waiting")
    put(machine, "I more")
    for _ in range(3):
        out = machine.received(encode(i_block(machine._their, bytes(254), has_more=True),
                                      has_crc=False))  # fmt: skip
        if described(out) == "C0":
            break
    assert machine.failure == "an answer longer than any card's"
    assert machine._parts == b""


def test_a_card_that_confirms_another_size_is_asked_again():
    machine = T1()
    machine.announce()
    assert described(machine.received(encode(Block(0xE1, b"\x20"), has_crc=False))) == "C1 FE"


def test_the_times_are_those_of_the_standard():
    """11.4.3 at 3.5712 MHz and 9,600: BWI 4 is 1.6 s, CWI 13 is 0.85 s."""
    assert t1.block_wait_s(4, 3_571_200, 1 / 9600) == pytest.approx(1.601, abs=0.001)
    assert t1.character_wait_s(13, 1 / 9600) == pytest.approx(0.8545, abs=0.0001)


def test_a_block_shows_no_data():
    assert "1234" not in repr(Block(0, b"1234"))
