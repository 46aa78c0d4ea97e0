"""One narrow channel to a card or PSAM: `transmit(CommandApdu) -> ResponseApdu`.

Behaviour is added by wrapping: `open_channel` stacks the T=0 rules (GET RESPONSE, 6Cxx) over a
recorder over the wire.  A reader comes from drivers and is only known by the `Reader` protocol.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from firmware.apdu import CommandApdu, ResponseApdu
from firmware.outcome import ProtocolError

# One answer of a card fits in a few GET RESPONSEs; a card that promises more for ever is broken.
MAX_GET_RESPONSE = 8
MAX_ANSWER = 4096

Recorder = Callable[[bytes, bytes], None]


class Reader(Protocol):
    """What a driver offers for one slot.  Every method raises TransportError."""

    name: str

    def cards_in_reach(self) -> int:
        """0, 1, or more when several are in the field."""

    def wait_change(self, timeout_s: float) -> None:
        """Return when a card came or went, or when the time is over."""

    def power_on(self) -> bytes:
        """Cold reset; the ATR (contact) or ATS (contactless)."""

    def power_off(self) -> None:
        """Quietly, also when nothing is there."""

    @property
    def is_block_protocol(self) -> bool:
        """T=1 or T=CL: APDUs travel whole.  False: T=0, with GET RESPONSE and 6Cxx."""

    def exchange(self, command: bytes, deadline_s: float) -> bytes:
        """One command and its answer, SW included, within the deadline."""

    def close(self) -> None:
        """Give the slot back."""


class Telling(Protocol):
    """A Reader that can do without being asked again and again."""

    def when_changed(self, tell: Callable[[], None]) -> None:
        """Call tell() soon after a card came or went, or the reader did; from any thread."""


class Channel(Protocol):
    def transmit(self, command: CommandApdu) -> ResponseApdu: ...


class Wire:
    """The bottom of the stack: bytes to the reader and back, each exchange under a deadline."""

    def __init__(self, reader: Reader, deadline_s: float, recorder: Recorder | None = None):
        self._reader = reader
        self._deadline_s = deadline_s
        self._recorder = recorder

    def transmit(self, command: CommandApdu) -> ResponseApdu:
        """Raises TransportError, or ProtocolError for an answer that is no ResponseApdu."""
        block = self._reader.is_block_protocol
        raw_command = command.to_apdu() if block else command.to_tpdu()
        raw = self._reader.exchange(raw_command, self._deadline_s)
        if self._recorder is not None:
            self._recorder(raw_command, raw)
        try:
            return ResponseApdu.from_bytes(raw)
        except ValueError as error:
            raise ProtocolError(str(error)) from None


class T0Rules:
    """T=0: 61xx is fetched, 6Cxx asked again with the right length, both bounded (SPEC-P5).

    A command with data is never sent again: its TPDU has no Le that could be wrong (ISO 7816-3
    12.2.3), and it may be a DEBIT, a CREDIT, a CREDIT SAM or a VERIFY.
    """

    def __init__(self, below: Channel):
        self._below = below

    def transmit(self, command: CommandApdu) -> ResponseApdu:
        answer = self._below.transmit(command)
        if answer.sw >> 8 == 0x6C and not command.data:
            answer = self._below.transmit(_with_length(command, answer.sw & 0xFF))
        data = answer.data
        for _ in range(MAX_GET_RESPONSE):
            if answer.sw >> 8 != 0x61:
                return ResponseApdu(data, answer.sw)
            answer = self._below.transmit(_get_response(answer.sw & 0xFF))
            if answer.sw >> 8 == 0x6C:
                answer = self._below.transmit(_get_response(answer.sw & 0xFF))
            data += answer.data
            if len(data) > MAX_ANSWER:
                raise ProtocolError("an answer longer than any card's")
        raise ProtocolError("61xx without an end")


def _with_length(command: CommandApdu, length: int) -> CommandApdu:
    ne = length or 256
    return CommandApdu(command.cla, command.ins, command.p1, command.p2, ne=ne)


def _get_response(length: int) -> CommandApdu:
    return CommandApdu(0x00, 0xC0, 0x00, 0x00, b"", length or 256)


def open_channel(reader: Reader, deadline_s: float, recorder: Recorder | None = None) -> Channel:
    """The stack for the protocol the card speaks; call it after reader.power_on()."""
    wire = Wire(reader, deadline_s, recorder)
    return wire if reader.is_block_protocol else T0Rules(wire)
