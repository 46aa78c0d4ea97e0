"""Cards and PSAMs that misbehave on purpose: each wraps a good one and has its API.

An answer to GET RESPONSE counts as the answer of the command before it.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

INTERNAL_AUTHENTICATE = 0x88
DEBIT_FOR_PURCHASE = 0x2C
_GET_RESPONSE = b"\xc0"


class Silence(Exception):
    """The card takes the command and never answers: the slot lets its deadline pass."""


Distortion = Callable[[bytes], bytes]


class Misbehaving:
    """`distort` is applied to every answer to an INS of `inses` (None: any) from the nth on."""

    def __init__(
        self,
        chip: Any,
        distort: Distortion,
        inses: frozenset[int] | None = None,
        first: int = 1,
    ) -> None:
        self.chip = chip
        self._distort = distort
        self._inses = inses
        self._left = first - 1
        self._strikes = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self.chip, name)

    @property
    def dirty(self) -> bool:
        return self.chip.dirty

    @dirty.setter
    def dirty(self, value: bool) -> None:
        self.chip.dirty = value

    def transmit(self, command: bytes) -> bytes:
        answer = self.chip.transmit(command)
        if command[1:2] != _GET_RESPONSE:
            self._strikes = self._is_due(command)
        return self._distort(answer) if self._strikes else answer

    def _is_due(self, command: bytes) -> bool:
        """Is it one of these commands, and the nth or a later one?  Counts it."""
        if self._inses is not None and not self._inses.issuperset(command[1:2]):
            return False
        if self._left:
            self._left -= 1
            return False
        return True


def _only(ins: int | None) -> frozenset[int] | None:
    return None if ins is None else frozenset((ins,))


def garbage(chip: Any, ins: int | None = None, seed: int = 0) -> Misbehaving:
    """Random bytes, 2 to 258 of them."""
    dice = random.Random(seed)
    return Misbehaving(chip, lambda answer: dice.randbytes(dice.randint(2, 258)), _only(ins))


def short(chip: Any, size: int, ins: int | None = None) -> Misbehaving:
    """Answers of 0 or 1 bytes: less than a status word."""
    return Misbehaving(chip, lambda answer: answer[:size], _only(ins))


def long(chip: Any, ins: int | None = None, size: int = 300) -> Misbehaving:
    """Answers of more than 256 bytes and a status word."""
    return Misbehaving(chip, lambda answer: bytes(size - 2) + b"\x90\x00", _only(ins))


def endless_61(chip: Any, ins: int | None = None) -> Misbehaving:
    """Always eight bytes more to fetch, and none of them."""
    return Misbehaving(chip, lambda answer: b"\x61\x08", _only(ins))


def answers(chip: Any, sw: int, ins: int | None = None, first: int = 1) -> Misbehaving:
    """A bare status word, e.g. 6F00; the command has been executed none the less."""
    return Misbehaving(chip, lambda answer: sw.to_bytes(2, "big"), _only(ins), first)


def _flipped(at: int) -> Distortion:
    """The byte at `at` of a whole answer is wrong; 61xx and refusals pass."""

    def distort(answer: bytes) -> bytes:
        if len(answer) <= 2 or answer[-2:] != b"\x90\x00":
            return answer
        return answer[:at] + bytes((answer[at] ^ 0x01,)) + answer[at + 1 :]

    return distort


def wrong_internal_authentication(chip: Any) -> Misbehaving:
    """A card that is not genuine."""
    return Misbehaving(chip, _flipped(0), _only(INTERNAL_AUTHENTICATE))


def wrong_mac2(chip: Any) -> Misbehaving:
    """The last byte of DEBIT's MAC2 is wrong; the debit has happened."""
    return Misbehaving(chip, _flipped(7), _only(DEBIT_FOR_PURCHASE))


class _BeforeExecution(Misbehaving):
    """Decides without asking the chip: what it refuses never happened."""

    def transmit(self, command: bytes) -> bytes:
        return self._distort(b"") if self._is_due(command) else self.chip.transmit(command)


def refuses(chip: Any, sw: int, ins: int, first: int = 1) -> Misbehaving:
    """A bare status word, and the command is not executed: e.g. 9302 to DEBIT (MAC1 refused)."""
    return _BeforeExecution(chip, lambda answer: sw.to_bytes(2, "big"), _only(ins), first)


def _silent(answer: bytes) -> bytes:
    raise Silence("the chip is mute")


class _Mute(_BeforeExecution):
    """Once mute, mute to everything until the next power-on; then the count begins again."""

    def __init__(self, chip: Any, inses: frozenset[int] | None, first: int) -> None:
        super().__init__(chip, _silent, inses, first)
        self._start = (inses, first - 1)

    def power_on(self) -> bytes:
        self._inses, self._left = self._start
        return self.chip.power_on()

    def transmit(self, command: bytes) -> bytes:
        try:
            return super().transmit(command)
        except Silence:
            self._inses, self._left = None, 0
            raise


def mute_before(chip: Any, ins: int | None = None, first: int = 1) -> Misbehaving:
    """Mute from the nth such command since power-on; it is not executed."""
    return _Mute(chip, _only(ins), first)


def mute_after(chip: Any, ins: int | None = None, first: int = 1) -> Misbehaving:
    """Executes each such command from the nth on, and does not answer it."""
    return Misbehaving(chip, _silent, _only(ins), first)
