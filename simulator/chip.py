"""What every chip does before it understands a command: power, ATR or ATS, T=0 and T=CL.

ISO 7816-3 12.2 (T=0: an answer to a command with data waits for GET RESPONSE), SPEC-P5.
"""

from __future__ import annotations

import hashlib
import os

from firmware.apdu import CommandApdu
from simulator.switches import Switches

OK = b"\x90\x00"


class Refusal(Exception):
    """A status word other than 9000; sw: 16-bit int."""

    def __init__(self, sw: int) -> None:
        super().__init__(f"{sw:04X}")
        self.sw = sw


class Dice:
    """A chip's random numbers: from the seed and the count of starts, or the system's for None."""

    def __init__(self, seed: str | None) -> None:
        self.seed = seed
        self.restart(0)

    def restart(self, boots: int) -> None:
        self._at = 0
        self._prefix = f"{self.seed}/{boots}/".encode()

    def draw(self, size: int) -> bytes:
        """1..32 random bytes."""
        if self.seed is None:
            return os.urandom(size)
        self._at += 1
        return hashlib.sha256(self._prefix + str(self._at).encode()).digest()[:size]


def parse(raw: bytes) -> CommandApdu:
    """A command as T=0 or a block protocol carries it; a Le after data is accepted from both.

    Raises Refusal(6700) when the lengths do not agree.
    """
    size = len(raw)
    if size == 4:
        return CommandApdu(*raw)
    if size == 5:
        return CommandApdu(*raw[:4], ne=raw[4] or 256)
    if size >= 6 and raw[4]:
        body = raw[4]
        if size == 5 + body:
            return CommandApdu(*raw[:4], data=raw[5:])
        if size == 6 + body:
            return CommandApdu(*raw[:4], data=raw[5:-1], ne=raw[-1] or 256)
    raise Refusal(0x6700)


class Chip:
    """A powered chip; what it holds and does comes with the three below."""

    contactless: bool
    switches: Switches
    historical: bytes
    dice: Dice

    def __init__(self) -> None:
        self.dirty = True  # something that survives power-off is not yet saved
        self.version = 0  # counts those changes
        self.powered = False
        self._waiting = b""

    def execute(self, command: CommandApdu) -> bytes:
        """The answer's data; raises Refusal."""
        raise NotImplementedError

    def started(self) -> None:
        """Forgets everything volatile."""
        raise NotImplementedError

    def changed(self) -> None:
        """Something that survives power-off has changed."""
        self.dirty = True
        self.version += 1

    def interrupted(self) -> None:
        """Forgets a transaction under way: what came was no command."""
        raise NotImplementedError

    def power_on(self) -> bytes:
        """The ATR (4 + 13 bytes), or the ATS (5 + 13 bytes) of a contactless card."""
        self.powered = True
        self._waiting = b""
        self.started()
        if self.contactless:
            return b"\x12\x78\x80\xa0\x02" + self.historical
        return b"\x3b\x6d\x00\x00" + self.historical

    def power_off(self) -> None:
        self.powered = False
        self._waiting = b""
        self.started()

    def transmit(self, raw: bytes) -> bytes:
        """One command, its answer with the status word (2..258 bytes)."""
        if not self.powered:
            raise RuntimeError("a chip without power does not answer: call power_on first")
        try:
            command = self._parsed(raw)
            if command.ins == 0xC0 and command.cla == 0 and not self.contactless:
                return self._get_response(command)
            self._waiting = b""
            data = self.execute(command)
        except Refusal as refusal:
            return refusal.sw.to_bytes(2, "big")
        if not data or not command.data or self.contactless:
            return data + OK
        self._waiting = data
        return bytes((0x61, len(data) & 0xFF))

    def _parsed(self, raw: bytes) -> CommandApdu:
        try:
            return parse(raw)
        except Refusal:
            self.interrupted()
            raise

    def _get_response(self, command: CommandApdu) -> bytes:
        waiting = len(self._waiting)
        if not waiting or command.data:
            raise Refusal(0x6F00)
        if command.ne > waiting or command.ne == 0:
            raise Refusal(0x6C00 | waiting)
        out, self._waiting = self._waiting[: command.ne], self._waiting[command.ne :]
        return out + (bytes((0x61, len(self._waiting))) if self._waiting else OK)

    def fit(self, data: bytes, ne: int, part: bool = False) -> bytes:
        """The answer to a command without data: `data` when Le fits it, else Refusal(6Cxx).

        ne: 0..256.  part: a smaller Le is a wish for the first bytes (READ BINARY).
        """
        size = len(data)
        if self.contactless:
            return data[:ne] if part and ne else data
        if ne == size or (part and 0 < ne < size):
            return data[:ne]
        quirk = self.switches.le_zero == "data" if ne == 256 else False
        if quirk or (self.switches.le_too_large == "short_9000" and 0 < ne < 256):
            return data[:ne]
        raise Refusal(0x6C00 | size & 0xFF)
