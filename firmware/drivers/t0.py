"""T=0: half-duplex transmission of characters, as a machine (ISO/IEC 7816-3:2006 10.3).

No I/O and no clock: characters go in, characters come out, and how long to wait is a value.
61xx and 6Cxx are answers here; the channel above knows what they ask for.
"""

from __future__ import annotations

from firmware.outcome import ProtocolError

NULL = 0x60
_HEADER = 5
# A card may say "still working" as often as it likes; the deadline ends it, and this count where a
# fast line brings a flood.
MAX_NULLS = 10_000

PROCEDURE, DATA, SW2, OVER = STATES = ("procedure", "data", "sw2", "over")


class T0:
    """One command TPDU: 5 bytes, or 5 and the P3 bytes that follow the header.

    Send what begin() returns, hand in what comes (any number of characters at a time), send what
    received() returns; at the end `answer` holds data (0..256 bytes) and status word.
    Raises ProtocolError when the card breaks the protocol; then only a reset helps.
    """

    def __init__(self) -> None:
        self.state = OVER
        self.answer: bytes | None = None
        self._ins = 0
        self._outgoing = b""  # data of the command that the card has not yet taken
        self._incoming = 0  # bytes of the answer that it may still send
        self._expected = 0  # ... of these, now
        self._data = bytearray()
        self._sw1 = 0
        self._nulls = 0

    def begin(self, command: bytes) -> bytes:
        """The header.  Raises ValueError for what T=0 cannot carry (10.3.2; FF begins a PPS)."""
        size = len(command)
        if size < _HEADER or (size > _HEADER and size != _HEADER + command[4]):
            raise ValueError("a command of T=0 has 5 bytes, or 5 and as many as P3 says")
        if command[0] == 0xFF or command[1] >> 4 in (0x6, 0x9):
            raise ValueError(f"T=0 knows no command {command[0]:02X} {command[1]:02X}")
        self.state, self.answer = PROCEDURE, None
        self._ins = command[1]
        self._outgoing = bytes(command[_HEADER:])
        self._incoming = 0 if self._outgoing else command[4] or 256
        self._data.clear()
        self._nulls = 0
        return bytes(command[:_HEADER])

    def received(self, characters: bytes) -> bytes:
        """What to send next; b"" while the card goes on."""
        at = 0
        out = b""
        while at < len(characters):
            if out or self.state == OVER:
                raise ProtocolError("the card talks where the reader has the word (T=0)")
            if self.state == DATA:
                part = characters[at : at + self._expected]
                self._take(part)
                at += len(part)
            else:
                out = self._character(characters[at])
                at += 1
        return out

    def _take(self, part: bytes) -> None:
        self._data += part
        self._expected -= len(part)
        self._incoming -= len(part)
        if not self._expected:
            self.state = PROCEDURE

    def _character(self, value: int) -> bytes:
        """A procedure byte (10.3.3, table 11), or SW2."""
        if self.state == SW2:
            self.state = OVER
            self.answer = bytes(self._data) + bytes((self._sw1, value))
            self._data.clear()
            self._outgoing = b""
            return b""
        if value == NULL:
            self._nulls += 1
            if self._nulls > MAX_NULLS:
                raise ProtocolError("the card asks for more time without an end (T=0)")
            return b""
        if value >> 4 in (0x6, 0x9):
            self._sw1, self.state = value, SW2
            return b""
        if value == self._ins:
            return self._transfer(max(self._incoming, len(self._outgoing)))
        if value == self._ins ^ 0xFF:
            return self._transfer(1)
        raise ProtocolError(f"{value:02X} is no procedure byte of INS {self._ins:02X} (T=0)")

    def _transfer(self, count: int) -> bytes:
        """The card wants so many bytes of the command, or sends so many of the answer."""
        if self._outgoing:
            part, self._outgoing = self._outgoing[:count], self._outgoing[count:]
            return part
        if not self._incoming:
            raise ProtocolError("the card wants data where none is left (T=0)")
        self._expected, self.state = count, DATA
        return b""


def wait_s(wi: int, fi: int, clock_hz: float) -> float:
    """WT (10.2): WI times 960 times Fi clocks between two characters.  wi: 1..255."""
    return wi * 960 * fi / clock_hz
