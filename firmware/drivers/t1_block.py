"""One block of T=1: NAD, PCB, LEN, 0 to 254 bytes, LRC or CRC (ISO/IEC 7816-3:2006 11.3)."""

from __future__ import annotations

from binascii import crc_hqx
from dataclasses import dataclass, field

LONGEST_INF = 254
LONGEST = 3 + LONGEST_INF + 2
_PROLOGUE = 3
_NAD = 0x00  # node addresses are not used

# PCB (11.3.2.2)
MORE = 0x20  # of an I-block: the chain goes on
RESYNCH, IFS, ABORT, WTX = 0xC0, 0xC1, 0xC2, 0xC3  # S-blocks that ask
RESPONSE = 0x20  # of an S-block: it answers
NO_ERROR, DAMAGED, OTHER = 0, 1, 2  # low bits of an R-block


@dataclass(frozen=True)
class Block:
    """pcb: legal, and its INF of a length that is legal for it."""

    pcb: int
    inf: bytes = field(default=b"", repr=False)  # may be a PIN

    @property
    def is_i(self) -> bool:
        return not self.pcb & 0x80

    @property
    def is_r(self) -> bool:
        return self.pcb & 0xC0 == 0x80

    @property
    def sequence(self) -> int:
        """N(S) of an I-block, N(R) of an R-block: 0 or 1."""
        return self.pcb >> (6 if self.is_i else 4) & 1

    @property
    def has_more(self) -> bool:
        return self.is_i and bool(self.pcb & MORE)


def i_block(sequence: int, inf: bytes, *, has_more: bool = False) -> Block:
    return Block(sequence << 6 | (MORE if has_more else 0), inf)


def r_block(sequence: int, error: int = NO_ERROR) -> Block:
    return Block(0x80 | sequence << 4 | error)


def encode(block: Block, *, has_crc: bool) -> bytes:
    body = bytes((_NAD, block.pcb, len(block.inf))) + block.inf
    return body + (crc(body) if has_crc else bytes((lrc(body),)))


def missing(begun: bytes, *, has_crc: bool) -> int:
    """How many characters of a block are sure to follow; 0 when it is whole."""
    epilogue = 2 if has_crc else 1
    length = begun[2] if len(begun) > 2 else 0
    return max(_PROLOGUE + length + epilogue - len(begun), 0)


def decode(raw: bytes, *, has_crc: bool) -> Block | None:
    """None: cut short, too long, EDC wrong, node addresses used, or no block of the standard."""
    if len(raw) < _PROLOGUE or missing(raw, has_crc=has_crc) or len(raw) > LONGEST:
        return None
    end = _PROLOGUE + raw[2]
    body, epilogue = raw[:end], raw[end:]
    if epilogue != (crc(body) if has_crc else bytes((lrc(body),))):
        return None
    block = Block(raw[1], bytes(body[_PROLOGUE:]))
    return block if raw[0] == _NAD and _is_legal(block) else None


def _is_legal(block: Block) -> bool:
    """11.3.2.2, 11.3.2.3: reserved bits are 0, the length is that of its kind."""
    length = len(block.inf)
    if block.is_i:
        return not block.pcb & 0x1F and length <= LONGEST_INF
    if block.is_r:
        return not block.pcb & 0x2C and length == 0
    kind = block.pcb & ~RESPONSE
    if kind in (RESYNCH, ABORT):
        return length == 0
    if kind == IFS:
        return length == 1 and block.inf[0] not in (0x00, 0xFF)
    return kind == WTX and length == 1 and block.inf[0] != 0


def lrc(data: bytes) -> int:
    """The exclusive-or of all bytes (11.3.4), folded in halves."""
    size, value = len(data), int.from_bytes(data, "big")
    while size > 1:
        half = size // 2
        value = value >> 8 * half ^ value & (1 << 8 * half) - 1
        size -= half
    return value


def crc(data: bytes) -> bytes:
    """CRC-16 of ISO/IEC 13239: x^16+x^12+x^5+1, low bit first, from FFFF, high byte sent first.

    The standard leaves the order of the two bytes open; this one is that of libccid and the cards
    seen with it (00 C1 01 FE: 54 4E).
    """
    value = crc_hqx(data.translate(_MIRRORED), 0xFFFF)
    return bytes((_MIRRORED[value & 0xFF], _MIRRORED[value >> 8]))


_MIRRORED = bytes(int(f"{each:08b}"[::-1], 2) for each in range(256))
