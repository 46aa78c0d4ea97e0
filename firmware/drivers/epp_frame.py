"""Frames between the unit and an encrypting PIN pad (docs/hardware.md, "The serial pad"); no I/O.

02, length of the body (2 bytes, big-endian), body, CRC-16 of length and body.  A body is a code, a
sequence number and data; an answer has its question's number, an event that of the entry.
"""

from __future__ import annotations

from binascii import crc_hqx
from dataclasses import dataclass

START = 0x02
MAX_DATA = 64
_HEAD = 3  # start, length
_CRC = 2
_CRC_START = 0xFFFF  # CRC-16/IBM-3740, "CCITT-FALSE"

# From the unit.
INFO = 0x01  # -> TOLD
BEGIN = 0x02  # the unit's random number (8) -> BEGUN
ENTER = (
    0x03  # least, most (1 each), seconds, seconds a key (2 each), PAN, check value (8) -> ENTERING
)
ABORT = 0x04  # -> ABORTED
LISTEN = 0x05  # seconds (1): tell keys for so long -> LISTENING
# From the pad.
TOLD = 0x81  # version, format (1 each)
BEGUN = 0x82  # the pad's random number (8), check value (8)
ENTERING = 0x83
ABORTED = 0x84
LISTENING = 0x85
TYPED = 0x91  # how many digits (1)
PIN = 0x92  # the PIN block (8 or 16): the entry is over
ENDED = 0x93  # why (1): CANCELLED, TIMED_OUT
KEY = 0x95  # place in board_keys.KEY_NAMES (1)
REFUSED = 0xFF  # why (1)

CANCELLED, TIMED_OUT = 1, 2


@dataclass(frozen=True)
class Body:
    code: int
    sequence: int
    data: bytes = b""


def encode(body: Body) -> bytes:
    """Raises ValueError when the data is longer than MAX_DATA."""
    if len(body.data) > MAX_DATA:
        raise ValueError(f"a frame takes {MAX_DATA} bytes, not {len(body.data)}")
    content = bytes((body.code, body.sequence)) + body.data
    checked = len(content).to_bytes(2, "big") + content
    return bytes((START,)) + checked + crc_hqx(checked, _CRC_START).to_bytes(_CRC, "big")


class Frames:
    """Bytes in, bodies out.  What is no frame is passed over a byte at a time, so that the next
    good frame is found after any damage; it never holds more than one frame and one reading."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[Body]:
        self._buffer += data
        found = []
        while (body := self._next()) is not None:
            found.append(body)
        return found

    def forget(self) -> None:
        self._buffer.clear()

    def _next(self) -> Body | None:
        while True:
            start = self._buffer.find(START)
            del self._buffer[: len(self._buffer) if start < 0 else start]
            if len(self._buffer) < _HEAD:
                return None
            length = int.from_bytes(self._buffer[1:_HEAD], "big")
            end = _HEAD + length + _CRC
            if not 2 <= length <= MAX_DATA + 2:
                del self._buffer[0]
                continue
            if len(self._buffer) < end:
                return None
            checked = bytes(self._buffer[1 : end - _CRC])
            if crc_hqx(checked, _CRC_START) != int.from_bytes(
                self._buffer[end - _CRC : end], "big"
            ):
                del self._buffer[0]
                continue
            del self._buffer[:end]
            return Body(checked[2], checked[3], checked[4:])
