"""Issue D2: CCID messages, bytes and values both ways (USB CCID 1.1, chapter 6)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware.drivers import ccid
from firmware.drivers.ccid_line import Message

COMMANDS = [
    ("62 00000000 00 01 010000", ccid.Command(ccid.ICC_POWER_ON, 0, 1, b"\x01\0\0", b"")),
    ("63 00000000 01 02 000000", ccid.Command(ccid.ICC_POWER_OFF, 1, 2, bytes(3), b"")),
    ("65 00000000 00 FF 000000", ccid.Command(ccid.GET_SLOT_STATUS, 0, 255, bytes(3), b"")),
    (
        "6F 05000000 00 03 000000 00A4000000",
        ccid.Command(ccid.XFR_BLOCK, 0, 3, bytes(3), bytes.fromhex("00A4000000")),
    ),
    (
        "61 05000000 01 04 000000 1100000A00",
        ccid.Command(ccid.SET_PARAMETERS, 1, 4, bytes(3), ccid.parameters_t0(0x11, False, 0, 10)),
    ),
    (
        "61 07000000 00 05 010000 1813004D00FE00",
        ccid.Command(
            ccid.SET_PARAMETERS,
            0,
            5,
            b"\x01\0\0",
            ccid.parameters_t1(0x18, True, True, 0, 0x4D, 0xFE),
        ),
    ),
    ("6C 00000000 00 06 000000", ccid.Command(ccid.GET_PARAMETERS, 0, 6, bytes(3), b"")),
    ("6B 01000000 00 07 000000 02", ccid.Command(ccid.ESCAPE, 0, 7, bytes(3), b"\x02")),
]

ANSWERS = [
    # bStatus 00: active, processed; 01 inactive; 02 absent; 40 failed; 80 more time
    ("81 00000000 00 01 00 00 00", (0x81, 0, 1, ccid.ICC_ACTIVE, ccid.PROCESSED, 0)),
    ("81 00000000 01 02 01 00 00", (0x81, 1, 2, ccid.ICC_INACTIVE, ccid.PROCESSED, 0)),
    ("81 00000000 00 03 02 00 00", (0x81, 0, 3, ccid.ICC_ABSENT, ccid.PROCESSED, 0)),
    ("80 02000000 00 04 00 00 00 9000", (0x80, 0, 4, ccid.ICC_ACTIVE, ccid.PROCESSED, 0)),
    ("80 00000000 00 05 40 FE 00", (0x80, 0, 5, ccid.ICC_ACTIVE, ccid.FAILED, 0xFE)),
    ("80 00000000 00 06 42 FE 00", (0x80, 0, 6, ccid.ICC_ABSENT, ccid.FAILED, 0xFE)),
    ("80 00000000 00 07 80 03 00", (0x80, 0, 7, ccid.ICC_ACTIVE, ccid.MORE_TIME, 3)),
    (
        "82 05000000 00 08 00 00 00 1100000A00",
        (0x82, 0, 8, ccid.ICC_ACTIVE, ccid.PROCESSED, 0),
    ),
    ("83 01000000 00 09 00 00 00 41", (0x83, 0, 9, ccid.ICC_ACTIVE, ccid.PROCESSED, 0)),
]

REFUSED = {
    "no header": "80 00000000 00 01 00 00",
    "nothing": "",
    "says more than there is": "80 03000000 00 01 00 00 00 9000",
    "says less than there is": "80 01000000 00 01 00 00 00 9000",
    "a terminal's kind": "6F 00000000 00 01 00 00 00",
    "no kind at all": "99 00000000 00 01 00 00 00",
    "a card state that is RFU": "81 00000000 00 01 03 00 00",
    "an outcome that is RFU": "81 00000000 00 01 C0 00 00",
}


@pytest.mark.parametrize(
    ("wire", "value"), COMMANDS, ids=[row[0][:2] + str(i) for i, row in enumerate(COMMANDS)]
)
def test_d2_a_command_is_these_bytes(wire: str, value: ccid.Command) -> None:
    assert value.to_bytes() == bytes.fromhex(wire)


@pytest.mark.parametrize(("wire", "value"), ANSWERS, ids=[row[0] for row in ANSWERS])
def test_d2_an_answer_means_this(wire: str, value: tuple[int, ...]) -> None:
    answer = ccid.parse_answer(bytes.fromhex(wire))
    assert tuple(answer)[:6] == value
    assert answer.data == bytes.fromhex(wire)[10:]


@pytest.mark.parametrize("wire", REFUSED.values(), ids=REFUSED)
def test_d2_what_no_reader_may_send_is_refused(wire: str) -> None:
    with pytest.raises(ValueError, match=r"bytes|message|bStatus"):
        ccid.parse_answer(bytes.fromhex(wire))


@given(st.binary(max_size=300))
def test_d2_any_bytes_are_an_answer_or_refused(message: bytes) -> None:
    try:
        answer = ccid.parse_answer(message)
    except ValueError:
        return
    status = answer.icc | answer.outcome << 6
    again = ccid.Command(
        answer.kind,
        answer.slot,
        answer.seq,
        bytes((status, answer.error, answer.last)),
        answer.data,
    ).to_bytes()
    assert again == message[:7] + bytes((status,)) + message[8:]


def test_d2_every_failure_says_why() -> None:
    for error in range(256):
        message = bytes((0x80, 0, 0, 0, 0, 0, 1, 0x40, error, 0))
        assert f"{error:02X}" in ccid.parse_answer(message).why()


def test_d2_what_travels_is_not_in_what_is_printed() -> None:
    """A VERIFY carries the PIN; an answer may carry a name."""
    verify = bytes.fromhex("0020000003123456")
    command = ccid.Command(ccid.XFR_BLOCK, 0, 1, bytes(3), verify)
    answer = ccid.parse_answer(bytes.fromhex("80 03000000 00 01 00 00 00 123456"))
    for each in (command, answer, Message(command.to_bytes())):
        for form in (verify[5:].hex(), str(verify[5:])[2:-1]):
            assert form not in repr(each)
