"""How CCID messages travel on a serial line: bytes to events and back, no I/O.

GemPC Twin, GemCore and SEC1210 alike: SYNC, ACK, the message, LRC (XOR of all before it).  SYNC,
NAK, LRC asks for the last message again.  Between messages a reader may send 50 and one byte, two
bits for each of its slots (a card came or went), and a single byte of 80 or more (T=0: the card
needs more time).  Some readers echo what they are sent; an echo is a message of our own kinds.
Anything else is noise, and skipped.
"""

from __future__ import annotations

from functools import reduce
from operator import xor
from typing import NamedTuple

from firmware.drivers import ccid

SYNC, ACK, NAK = 0x03, 0x06, 0x15
SLOT_CHANGE = 0x50
TIME_REQUEST = 0x80  # and above
ASK_AGAIN = bytes((SYNC, NAK, SYNC ^ NAK))

_LENGTH_AT = 3  # SYNC, ACK, kind, then the length
_LONGEST = ccid.HEADER + ccid.MAX_DATA


class Message(NamedTuple):
    """A whole message whose LRC was right: 10..271 bytes."""

    message: bytes

    def __repr__(self) -> str:
        return f"Message({len(self.message)} bytes)"


class AskedAgain(NamedTuple):
    """The other side did not understand our last message."""


class Damaged(NamedTuple):
    """A message came that cannot be used."""

    why: str


class SlotChange(NamedTuple):
    """states: for slot n bit 2n says present, bit 2n + 1 changed."""

    states: int

    def changed(self, slot: int) -> bool:
        return bool(self.states >> 2 * slot & 2)


class MoreTime(NamedTuple):
    """The card asked for more time."""


Event = Message | AskedAgain | Damaged | SlotChange | MoreTime


def frame(message: bytes) -> bytes:
    """13..274 bytes."""
    head = bytes((SYNC, ACK)) + message
    return head + bytes((lrc(head),))


def lrc(data: bytes | bytearray) -> int:
    return reduce(xor, data, 0)


class Unframer:
    """Bytes in as they come, events out; holds one message at most."""

    def __init__(self) -> None:
        self._held = bytearray()

    @property
    def is_inside(self) -> bool:
        """A message or a notification has begun and not ended."""
        return bool(self._held)

    def feed(self, data: bytes) -> list[Event]:
        events: list[Event] = []
        for byte in data:
            self._held.append(byte)
            event = self._step()
            if event is not None:
                events.append(event)
        return events

    def give_up(self) -> list[Event]:
        """The line fell quiet inside a message: what came of it is dropped."""
        if not self._held:
            return []
        was_message = self._held[0] == SYNC
        self._held.clear()
        return [Damaged("a message without its end")] if was_message else []

    def _step(self) -> Event | None:
        held = self._held
        first = held[0]
        if first == SLOT_CHANGE:
            return self._done(SlotChange(held[1])) if len(held) == 2 else None
        if first != SYNC:
            return self._done(MoreTime() if first >= TIME_REQUEST else None)
        if len(held) < 2:
            return None
        if held[1] == NAK:
            return self._nak()
        if held[1] != ACK:
            self._restart()
            return None
        return self._message()

    def _nak(self) -> Event | None:
        if len(self._held) < len(ASK_AGAIN):
            return None
        is_whole = bytes(self._held) == ASK_AGAIN
        return self._done(AskedAgain() if is_whole else Damaged("a wrong LRC"))

    def _message(self) -> Event | None:
        held = self._held
        if len(held) < _LENGTH_AT + 4:
            return None
        size = ccid.HEADER + int.from_bytes(held[_LENGTH_AT : _LENGTH_AT + 4], "little")
        if size > _LONGEST:
            return self._done(Damaged("a length that no message has"))
        if len(held) < 2 + size + 1:
            return None
        if lrc(held):
            return self._done(Damaged("a wrong LRC"))
        return self._done(Message(bytes(held[2:-1])))

    def _done(self, event: Event | None) -> Event | None:
        self._held.clear()
        return event

    def _restart(self) -> None:
        """A SYNC that began nothing; the byte after it may be the real one."""
        last = self._held[-1]
        self._held.clear()
        if last == SYNC:
            self._held.append(last)
