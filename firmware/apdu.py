"""ISO 7816-4 command and response APDUs, as values (short lengths only).

MicroPython-clean: no dataclasses, no enum, no typing at run time.
"""

SW_OK = 0x9000


class CommandApdu:
    """One command APDU.

    cla, ins, p1, p2: int 0..255.  data: bytes, 0..255 long.
    ne: bytes expected in answer, 0 = none, 256 = "as many as there are" (Le 00).
    Source: ISO 7816-4 5.1.
    """

    __slots__ = ("cla", "data", "ins", "ne", "p1", "p2")

    def __init__(self, cla: int, ins: int, p1: int, p2: int, data: bytes = b"", ne: int = 0):
        for value in (cla, ins, p1, p2):
            if not 0 <= value <= 255:
                raise ValueError("a header byte is 0..255")
        if len(data) > 255:
            raise ValueError("a short APDU carries at most 255 bytes")
        if not 0 <= ne <= 256:
            raise ValueError("ne is 0..256")
        self.cla = cla
        self.ins = ins
        self.p1 = p1
        self.p2 = p2
        self.data = bytes(data)
        self.ne = ne

    def header(self) -> bytes:
        """CLA INS P1 P2, 4 bytes."""
        return bytes((self.cla, self.ins, self.p1, self.p2))

    def to_apdu(self) -> bytes:
        """The APDU as block protocols (T=1, T=CL) carry it: cases 1 to 4 of ISO 7816-3 12.1."""
        out = self.header()
        if self.data:
            out += bytes((len(self.data),)) + self.data
        if self.ne:
            out += bytes((self.ne & 0xFF,))
        return out

    def to_tpdu(self) -> bytes:
        """The TPDU as T=0 carries it: always a P3 byte, and no Le beside data (ISO 7816-3 12.2)."""
        if self.data:
            return self.header() + bytes((len(self.data),)) + self.data
        return self.header() + bytes((self.ne & 0xFF,))

    def __repr__(self) -> str:
        # The data may be a PIN: only its length is shown.
        return "CommandApdu(%s, %d bytes, ne=%d)" % (self.header().hex(), len(self.data), self.ne)


class ResponseApdu:
    """One response APDU: data (0..256 bytes) and the status word sw (one 16-bit int)."""

    __slots__ = ("data", "sw")

    def __init__(self, data: bytes, sw: int):
        self.data = bytes(data)
        self.sw = sw

    @staticmethod
    def from_bytes(raw: bytes) -> "ResponseApdu":
        """Raises ValueError when raw is shorter than a status word or longer than 258 bytes."""
        if not 2 <= len(raw) <= 258:
            raise ValueError("a response is 2..258 bytes, not %d" % len(raw))
        return ResponseApdu(raw[:-2], raw[-2] << 8 | raw[-1])

    def to_bytes(self) -> bytes:
        """Data and the two bytes of the status word."""
        return self.data + bytes((self.sw >> 8, self.sw & 0xFF))

    def __repr__(self) -> str:
        return "ResponseApdu(%d bytes, %04X)" % (len(self.data), self.sw)
