"""What a simulated contact card says of itself at a reset (ISO/IEC 7816-3:2006 8.2)."""

from __future__ import annotations

from dataclasses import dataclass

DIVISORS = {1: 1, 2: 2, 3: 4, 4: 8, 5: 16, 6: 32, 7: 64, 8: 12, 9: 20}
CLOCKS = {0: 372, 1: 372, 2: 558, 3: 744, 9: 512, 10: 768}


@dataclass(frozen=True)
class Nature:
    """protocol: 0 or 1.  ta1, ta2, tc1: the byte, None where it is left out.  second: another
    protocol offered after it.  is_inverse: TS 3F.  ifsc, bwi, cwi, crc: of T=1."""

    protocol: int = 0
    ta1: int | None = None
    tc1: int | None = 0
    ta2: int | None = None
    wi: int | None = None
    second: int | None = None
    is_inverse: bool = False
    ifsc: int = 254
    bwi: int = 4
    cwi: int = 13
    crc: bool = False

    def answer(self, historical: bytes) -> bytes:
        """TS to TCK; TB1 00 stands as in the PSAM sample of SPEC-P9."""
        has_td1 = self.protocol or self.ta2 is not None or self.wi is not None
        has_td1 = has_td1 or self.second is not None
        first = _group(self.ta1, 0x00, self.tc1, self.protocol if has_td1 else None)
        second: list[int] = []
        third: list[int] = []
        if has_td1:
            follows = 1 if self.protocol == 1 else self.second
            second = _group(self.ta2, None, self.wi, follows)
            if follows == 1:
                third = _group(self.ifsc, self.bwi << 4 | self.cwi, int(self.crc), None)
        body = [first[0] << 4 | len(historical), *first[1:]]
        if second:
            body[-1] |= second[0] << 4
            body += second[1:]
        if third:
            body[-1] |= third[0] << 4
            body += third[1:]
        body += historical
        if self.protocol or self.second:
            total = 0
            for each in body:
                total ^= each
            body.append(total)
        return bytes([0x3F if self.is_inverse else 0x3B, *body])

    def divisor(self, fi_di: int) -> float:
        """Clocks of one etu."""
        return CLOCKS[fi_di >> 4] / DIVISORS[fi_di & 15]


def _group(a: int | None, b: int | None, c: int | None, d: int | None) -> list[int]:
    """The four flags as a number, then the bytes that are there; D without its own flags yet."""
    there = [each for each in (a, b, c, d) if each is not None]
    flags = sum(1 << at for at, each in enumerate((a, b, c, d)) if each is not None)
    return [flags, *there]
