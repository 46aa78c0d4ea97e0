"""T=1 as a card speaks it (ISO/IEC 7816-3:2006 11.6), written apart from the firmware's.

A block comes in, a block goes out; the clock is whoever's line it is.  `Faults` makes it misbehave.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce

Transmit = Callable[[bytes], bytes]


@dataclass
class Faults:
    """How often each goes wrong from now on; -1 is for ever.

    wrong_edc: a block leaves with a wrong EDC.  lost: it does not leave.  cut: its last byte is
    missing.  doubled: it leaves twice.  garbage: noise leaves instead.  wtx: more time is asked for
    before an answer, extension times BWT.  abort: the chain is given up.  wrong_ifs: another size
    is confirmed than was announced.  deaf: a block that came is taken for damaged.
    """

    wrong_edc: int = 0
    lost: int = 0
    cut: int = 0
    doubled: int = 0
    garbage: int = 0
    wtx: int = 0
    extension: int = 1
    abort: int = 0
    wrong_ifs: int = 0
    deaf: int = 0

    def due(self, name: str) -> bool:
        left: int = getattr(self, name)
        if left > 0:
            setattr(self, name, left - 1)
        return left != 0


def check_lrc(data: bytes) -> bytes:
    return bytes([reduce(lambda a, b: a ^ b, data, 0)])


def check_crc(data: bytes) -> bytes:
    value = 0xFFFF
    for each in data:
        value ^= each
        for _ in range(8):
            value = value >> 1 ^ 0x8408 if value & 1 else value >> 1
    return value.to_bytes(2, "big")


class BlockCard:
    """transmit: a whole command APDU -> the answer.  ifsc: what the card takes in a block."""

    def __init__(
        self, transmit: Transmit, *, ifsc: int = 32, crc: bool = False, faults: Faults | None = None
    ):
        self.faults = faults or Faults()
        self.ifsc = ifsc
        self._check = check_crc if crc else check_lrc
        self._transmit = transmit
        self.reset()

    def reset(self) -> None:
        self.ifsd = 32
        self._expected = 0  # N(S) of the next I-block from the reader
        self._own = 0  # N(S) of our next new I-block
        self._command = b""
        self._answer: list[bytes] = []  # parts not yet acknowledged, the first is outstanding
        self._last = b""

    def length(self, begun: bytes) -> int:
        """How many bytes the block that begins so has; 4 or more."""
        return 3 + (begun[2] if len(begun) > 2 else 0) + len(self._check(b""))

    def receive(self, raw: bytes) -> bytes:
        """A block as it came -> what leaves, b"" for nothing."""
        body, edc = raw[: -len(self._check(b""))], raw[-len(self._check(b"")) :]
        is_whole = len(raw) == self.length(raw) and edc == self._check(body)
        if not is_whole or self.faults.due("deaf"):
            return self._reject(1)
        pcb, inf = body[1], body[3:]
        if pcb & 0x80 == 0:
            return self._i_block(pcb, inf)
        if pcb & 0xC0 == 0x80:
            return self._r_block(pcb >> 4 & 1)
        return self._s_block(pcb, inf)

    def _i_block(self, pcb: int, inf: bytes) -> bytes:
        if pcb >> 6 != self._expected or len(inf) > self.ifsc:
            return self._reject(2)
        if self._answer:  # the reader moved on: our answer has arrived
            self._acknowledged()
        self._expected ^= 1
        self._command += inf
        if pcb & 0x20:
            if self.faults.due("abort"):
                self._command = b""
                return self._send(0xC2)
            return self._send(0x80 | self._expected << 4)
        return self._work()

    def _work(self) -> bytes:
        if self.faults.due("wtx"):
            return self._send(0xC3, bytes([self.faults.extension]))
        command, self._command = self._command, b""
        answer = self._transmit(command)
        if not answer:
            return b""  # the card is gone
        self._answer = [answer[at : at + self.ifsd] for at in range(0, len(answer), self.ifsd)]
        return self._part()

    def _part(self) -> bytes:
        more = 0x20 if len(self._answer) > 1 else 0
        return self._send(self._own << 6 | more, self._answer[0])

    def _acknowledged(self) -> None:
        self._answer.pop(0)
        self._own ^= 1

    def _r_block(self, wanted: int) -> bytes:
        if not self._answer:
            return self._again()
        if wanted == self._own:
            return self._part()
        self._acknowledged()
        return self._part() if self._answer else self._send(0x80 | self._expected << 4)

    def _s_block(self, pcb: int, inf: bytes) -> bytes:
        if pcb == 0xC0:
            self.reset()
            return self._send(0xE0)
        if pcb == 0xC1 and len(inf) == 1:
            self.ifsd = inf[0]
            confirmed = bytes([inf[0] - 1]) if self.faults.due("wrong_ifs") else inf
            return self._send(0xE1, confirmed)
        if pcb == 0xE3:
            return self._work()
        if pcb == 0xE2:
            return self._send(0x80 | self._expected << 4)  # the reader may speak again
        return self._reject(2)

    def _reject(self, error: int) -> bytes:
        """What came was no block; a request of ours that is open is repeated instead."""
        if self._last[1:2] in (b"\xc2", b"\xc3"):
            return self._again()
        return self._send(0x80 | self._expected << 4 | error)

    def _send(self, pcb: int, inf: bytes = b"") -> bytes:
        self._last = self._built(pcb, inf)
        return self._leave(self._last)

    def _again(self) -> bytes:
        return self._leave(self._last or self._built(0x80 | self._expected << 4 | 2))

    def _built(self, pcb: int, inf: bytes = b"") -> bytes:
        body = bytes([0, pcb, len(inf)]) + inf
        return body + self._check(body)

    def _leave(self, block: bytes) -> bytes:
        if self.faults.due("lost"):
            return b""
        if self.faults.due("garbage"):
            return bytes(range(0x30, 0x30 + 40))
        if self.faults.due("wrong_edc"):
            return block[:-1] + bytes([block[-1] ^ 0x55])
        if self.faults.due("cut"):
            return block[:-1]
        return block * 2 if self.faults.due("doubled") else block
