"""What passes between a host and an NXP PN532: frames, commands, targets, error codes.  No I/O.

Clauses are those of NXP's user manual UM0701-02.  A frame is

    00 00 FF  LEN LCS  TFI PD0 ... PDn  DCS 00        normal: 1 to 255 bytes from TFI on
    00 00 FF  FF FF  LENM LENL LCS  TFI ...  DCS 00   extended: up to 265 with this chip
    00 00 FF  00 FF  00        ACK          00 00 FF  FF 00  00        NACK

with LEN + LCS = 0 and TFI + ... + DCS = 0 modulo 256 (6.2.1).  TFI is D4 from the host, D5 from the
chip, 7F for a command that the chip did not understand.
"""

from __future__ import annotations

from typing import NamedTuple

FROM_HOST, FROM_CHIP, SYNTAX_ERROR = 0xD4, 0xD5, 0x7F

ACK = bytes.fromhex("0000FF00FF00")
NACK = bytes.fromhex("0000FFFF0000")
_START = b"\x00\xff"

MAX_FRAME = 265
"""TFI, command code and data, in either direction (6.2.1.2)."""
MAX_DATA = 262
"""Of one InDataExchange, in either direction; longer messages are chained (7.3.8)."""

DIAGNOSE = 0x00
GET_FIRMWARE_VERSION = 0x02
SET_PARAMETERS = 0x12
SAM_CONFIGURATION = 0x14
RF_CONFIGURATION = 0x32
IN_DATA_EXCHANGE = 0x40
IN_LIST_PASSIVE_TARGET = 0x4A
IN_RELEASE = 0x52

IC_PN532 = 0x32
PRESENCE_TEST = b"\x06"  # Diagnose: R(NACK) to the card selected last (7.2.1)
TYPE_A, TYPE_B = 0x00, 0x03  # BrTy of InListPassiveTarget, both at 106 kbit/s (7.3.5)
MORE = 0x40  # the MI bit, in Tg to the chip and in the status from it
_STATUS = 0x3F
_IS_14443_4 = 0x20  # in SEL_RES (ISO 14443-3 6.5.3.4)
_ATQB = 0x50
_ATQB_LENGTH = 12

ERRORS = {  # status of a command -> (kind of TransportError, words) (7.1)
    0x01: ("silent", "the card did not answer"),
    0x02: ("silent", "the card's answer had a wrong CRC"),
    0x03: ("silent", "the card's answer had a wrong parity"),
    0x04: ("silent", "wrong bit count in anticollision"),
    0x05: ("silent", "framing error of the card"),
    0x06: ("silent", "bits of two cards collided"),
    0x07: ("reader", "the chip's buffer is too small"),
    0x09: ("reader", "the chip's radio buffer overflowed"),
    0x0A: ("silent", "the field was not switched on in time by the other side"),
    0x0B: ("silent", "the card broke the radio protocol"),
    0x0D: ("reader", "the chip is too hot and has switched its antenna off"),
    0x0E: ("reader", "the chip's buffer overflowed"),
    0x10: ("reader", "a parameter is out of range"),
    0x12: ("reader", "the card does not know this command"),
    0x13: ("silent", "the card's answer has a wrong format"),
    0x14: ("reader", "authentication failed"),
    0x23: ("silent", "the card's identifier has a wrong check byte"),
    0x25: ("reader", "the command does not fit the chip's state"),
    0x26: ("reader", "the command is not allowed in this configuration"),
    0x27: ("reader", "no card is selected"),
    0x29: ("removed", "the card was released"),
    0x2A: ("removed", "another card is there than before"),
    0x2B: ("removed", "the card has left the field"),
    0x2C: ("reader", "identifiers of two sides do not match"),
    0x2D: ("reader", "over-current at the antenna"),
    0x2E: ("reader", "a node address is missing"),
}
UNKNOWN_ERROR = ("reader", "an error that the manual does not list")

KIND_ACK, KIND_NACK, KIND_ANSWER, KIND_SYNTAX, KIND_DAMAGED = range(5)


class Frame(NamedTuple):
    """body: of an answer only, from the command code on."""

    kind: int
    body: bytes = b""


def command_frame(code: int, data: bytes = b"") -> bytes:
    """Raises ValueError for more data than a frame holds."""
    body = bytes((FROM_HOST, code)) + data
    if len(body) > MAX_FRAME:
        raise ValueError(f"{len(body)} bytes do not fit a frame of {MAX_FRAME}")
    if len(body) <= 0xFF:
        length = bytes((len(body), -len(body) & 0xFF))
    else:
        high, low = len(body) >> 8, len(body) & 0xFF
        length = bytes((0xFF, 0xFF, high, low, -(high + low) & 0xFF))
    return b"\x00" + _START + length + body + bytes((-sum(body) & 0xFF, 0x00))


class FrameParser:
    """Bytes in, frames out, whatever stands between them; never holds more than one frame."""

    def __init__(self) -> None:
        self._held = b""

    @property
    def is_inside(self) -> bool:
        """A frame has begun and its end is not here."""
        return _START in self._held

    def clear(self) -> None:
        self._held = b""

    def feed(self, data: bytes) -> list[Frame]:
        """The frames that end in data; a frame with a wrong checksum is KIND_DAMAGED."""
        held = self._held + data
        found = []
        while True:
            at = held.find(_START)
            if at < 0:
                held = held[-1:]  # its 00 may be half of a start
                break
            frame, used = _frame_at(held[at:])
            if not used:
                held = held[at:]
                break
            if frame is not None:
                found.append(frame)
            held = held[at + used :]
        self._held = held
        return found


def _frame_at(data: bytes) -> tuple[Frame | None, int]:
    """The frame at the start code that data begins with, and its bytes; 0 if its end is missing."""
    if len(data) < 4:
        return None, 0
    if data[2:4] == b"\x00\xff":
        return Frame(KIND_ACK), 4
    if data[2:4] == b"\xff\x00":
        return Frame(KIND_NACK), 4
    if data[2:4] == b"\xff\xff":
        if len(data) < 7:
            return None, 0
        header, length, check = 7, data[4] << 8 | data[5], sum(data[4:7]) & 0xFF
    else:
        header, length, check = 4, data[2], sum(data[2:4]) & 0xFF
    if check or not 1 <= length <= MAX_FRAME:
        return Frame(KIND_DAMAGED), 2  # where it ends is not known: look for the next start
    whole = header + length + 1
    if len(data) < whole:
        return None, 0
    body = data[header : whole - 1]
    if sum(data[header:whole]) & 0xFF:
        return Frame(KIND_DAMAGED), whole
    if body[0] == SYNTAX_ERROR:
        return Frame(KIND_SYNTAX), whole
    if body[0] != FROM_CHIP or length < 2:
        return Frame(KIND_DAMAGED), whole
    return Frame(KIND_ANSWER, body[1:]), whole


def first_frame(data: bytes) -> bytes:
    """data without what follows its first whole frame: an I2C read goes on past its end."""
    at = data.find(_START)
    if at < 0:
        return data
    _, used = _frame_at(data[at:])
    return data[: at + used] if used else data


class Target(NamedTuple):
    """A card in the field.  number: the chip's, 1 or 2.  kind: TYPE_A, TYPE_B.

    identifier: UID (A) or PUPI (B).  ats: from its length byte on, None unless type A with -4.
    atqb: 12 bytes, b"" with A.  attrib: the answer to ATTRIB, b"" with A.
    """

    number: int
    kind: int
    identifier: bytes
    ats: bytes | None
    atqb: bytes = b""
    attrib: bytes = b""

    @property
    def speaks_14443_4(self) -> bool:
        return self.kind == TYPE_B or self.ats is not None


def targets(kind: int, data: bytes) -> list[Target]:
    """Of an answer to InListPassiveTarget (7.3.5), its code left out.  Raises ValueError."""
    if not data or data[0] > 2:
        raise ValueError("a list of cards without its count")
    found: list[Target] = []
    rest = data[1:]
    for _ in range(data[0]):
        target, rest = _target_a(rest) if kind == TYPE_A else _target_b(rest)
        found.append(target)
    if rest:
        raise ValueError("a list of cards with bytes left over")
    return found


def _target_a(data: bytes) -> tuple[Target, bytes]:
    """Tg, SENS_RES 2, SEL_RES, length and UID, then the ATS if the card speaks -4."""
    if len(data) < 5 or data[4] not in (4, 7, 10) or len(data) < 5 + data[4]:
        raise ValueError("a card of type A that is cut off")
    end = 5 + data[4]
    identifier, ats = data[5:end], None
    if data[3] & _IS_14443_4:
        if len(data) <= end or not data[end] or len(data) < end + data[end]:
            raise ValueError("an ATS that is cut off")
        ats = data[end : end + data[end]]
        end += data[end]
    return Target(data[0], TYPE_A, identifier, ats), data[end:]


def _target_b(data: bytes) -> tuple[Target, bytes]:
    """Tg, ATQB 12, length and answer to ATTRIB."""
    end = 1 + _ATQB_LENGTH
    if len(data) <= end or data[1] != _ATQB or len(data) < end + 1 + data[end]:
        raise ValueError("a card of type B that is cut off")
    atqb, attrib = data[1:end], data[end + 1 : end + 1 + data[end]]
    return Target(data[0], TYPE_B, atqb[1:5], None, atqb, attrib), data[end + 1 + data[end] :]


def error_of(status: int) -> tuple[str, str] | None:
    """(kind of TransportError, words) of a status byte; None for success."""
    code = status & _STATUS
    return None if code == 0 else ERRORS.get(code, UNKNOWN_ERROR)


def has_more(status: int) -> bool:
    """The card's answer goes on: ask with an empty InDataExchange (7.3.8)."""
    return bool(status & MORE)
