"""The messages between a terminal and a CCID reader: bytes to values and back, no I/O.

USB Device Class: Smart Card CCID 1.1, chapter 6.  A message is a header of 10 bytes and its data:
kind, length of the data (4 bytes, little-endian), slot, sequence number, three bytes that each
kind uses in its own way.  The reader echoes slot and sequence number.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

# PC_to_RDR, 6.1
SET_PARAMETERS = 0x61
ICC_POWER_ON = 0x62
ICC_POWER_OFF = 0x63
GET_SLOT_STATUS = 0x65
ESCAPE = 0x6B
GET_PARAMETERS = 0x6C
XFR_BLOCK = 0x6F

# RDR_to_PC, 6.2
DATA_BLOCK = 0x80
SLOT_STATUS = 0x81
PARAMETERS = 0x82
ESCAPE_DATA = 0x83

ANSWER_TO = {
    SET_PARAMETERS: PARAMETERS,
    ICC_POWER_ON: DATA_BLOCK,
    ICC_POWER_OFF: SLOT_STATUS,
    GET_SLOT_STATUS: SLOT_STATUS,
    ESCAPE: ESCAPE_DATA,
    GET_PARAMETERS: PARAMETERS,
    XFR_BLOCK: DATA_BLOCK,
}

HEADER = 10
# A short APDU of 261 bytes, or 256 bytes and SW, or a T=1 block of 259: the longest data there is.
MAX_DATA = 261

# bmICCStatus and bmCommandStatus, 6.2.6
ICC_ACTIVE, ICC_INACTIVE, ICC_ABSENT = 0, 1, 2
PROCESSED, FAILED, MORE_TIME = 0, 1, 2

# bPowerSelect, 6.1.1: the highest class first (LD/T 33; ISO 7816-3 6.2.1)
VOLTS_5, VOLTS_3, VOLTS_1_8 = 1, 2, 3
CLASSES = (VOLTS_5, VOLTS_3, VOLTS_1_8)

# bError of a failed command, table 6.2-2
ICC_MUTE = 0xFE
HW_ERROR = 0xFB
SLOT_BUSY = 0xE0
NOT_SUPPORTED = 0x00
NO_SUCH_SLOT = 0x05  # the offset of the field that is wrong: bSlot
ERRORS = {
    0xFF: "the command was aborted",
    ICC_MUTE: "the card does not answer",
    0xFD: "a parity error between reader and card",
    0xFC: "the card sent more than the reader holds",
    HW_ERROR: "the reader's hardware failed, or the card draws too much current",
    0xF8: "the ATR begins with no TS",
    0xF7: "the ATR has a wrong TCK",
    0xF6: "a protocol that the reader does not know",
    0xF5: "a class of card that the reader does not know",
    0xF4: "a wrong procedure byte",
    0xF3: "a protocol that was given up",
    0xF2: "the reader is busy with itself",
    SLOT_BUSY: "the slot is busy with an earlier command",
    NOT_SUPPORTED: "the reader does not know the command",
    NO_SUCH_SLOT: "the reader has no such slot",
}

_HEADER = struct.Struct("<BIBB3s")


class Command(NamedTuple):
    """kind: one of PC_to_RDR.  slot, seq: 0..255.  detail: 3 bytes.  data: at most MAX_DATA."""

    kind: int
    slot: int
    seq: int
    detail: bytes
    data: bytes

    def __repr__(self) -> str:
        """Without the data, which may be a VERIFY."""
        return f"Command({self.kind:02X}, slot {self.slot}, {len(self.data)} bytes)"

    def to_bytes(self) -> bytes:
        """The message, 10..271 bytes."""
        head = _HEADER.pack(self.kind, len(self.data), self.slot, self.seq, self.detail)
        return head + self.data


class Answer(NamedTuple):
    """icc: of the slot.  outcome: PROCESSED, FAILED or MORE_TIME.  error: bError.  last: byte 9."""

    kind: int
    slot: int
    seq: int
    icc: int
    outcome: int
    error: int
    last: int
    data: bytes

    def __repr__(self) -> str:
        status = f"icc {self.icc}, outcome {self.outcome}, error {self.error:02X}"
        return f"Answer({self.kind:02X}, slot {self.slot}, {status}, {len(self.data)} bytes)"

    def why(self) -> str:
        """What bError of a failed command says."""
        unknown = "a field of the command is wrong" if self.error < 0x80 else "the maker's own"
        return f"{ERRORS.get(self.error, unknown)} (bError {self.error:02X})"


def parse_answer(message: bytes) -> Answer:
    """Raises ValueError for what no reader may send: its length, its kind, a status that is RFU."""
    if len(message) < HEADER:
        raise ValueError(f"a message of {len(message)} bytes has no header")
    kind, length, slot, seq, (status, error, last) = _HEADER.unpack_from(message)
    if length != len(message) - HEADER:
        raise ValueError(f"a message of {len(message)} bytes says that its data are {length}")
    if kind not in ANSWER_TO.values():
        raise ValueError(f"{kind:02X} is no message of a reader")
    icc, outcome = status & 3, status >> 6
    if icc > ICC_ABSENT or outcome > MORE_TIME:
        raise ValueError(f"bStatus {status:02X} means nothing")
    return Answer(kind, slot, seq, icc, outcome, error, last, message[HEADER:])


def parameters_t0(fi_di: int, is_inverse: bool, guard_time: int, waiting_integer: int) -> bytes:
    """abProtocolDataStructure for T=0, 5 bytes (6.1.7): TA1, convention, TC1, TC2, clock runs."""
    return bytes((fi_di, is_inverse << 1, guard_time, waiting_integer, 0))


def parameters_t1(
    fi_di: int, is_inverse: bool, has_crc: bool, guard_time: int, bwi_cwi: int, ifsc: int
) -> bytes:
    """abProtocolDataStructure for T=1, 7 bytes (6.1.7): ..., TB3, clock runs, IFSC, NAD 0."""
    return bytes((fi_di, 0x10 | is_inverse << 1 | has_crc, guard_time, bwi_cwi, 0, ifsc, 0))
