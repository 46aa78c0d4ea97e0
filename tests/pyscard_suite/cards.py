"""Two SIM-like T=0 cards in each of the rig's readers' slots: what pyscard's tests ask for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from firmware.drivers.smartcard import scard
from tests import pcscd_rig
from tests.vpcd_card import VpcdCard

# Each slot another ATR, T=0 alone.
_ATR = "3B16947102{:02X}000000"
_SELECT_DF_TELECOM = bytes.fromhex("A0A40000027F10")
_GET_RESPONSE = bytes.fromhex("A0C00000")


def answer(command: bytes) -> bytes:
    if command == _SELECT_DF_TELECOM:
        return b"\x9f\x1a"
    if command[:4] == _GET_RESPONSE:
        return bytes(command[4]) + b"\x90\x00"
    return b"\x6d\x00"


class Slots:
    """Four, each with a card that pcscd has seen."""

    def __init__(self, rig: pcscd_rig.PcscdRig):
        self._ports = [first + each for first in (rig.user_port, rig.psam_port) for each in (0, 1)]
        self._cards: dict[int, VpcdCard] = {}
        for slot in range(len(self._ports)):
            self._insert(slot)
        _wait_until_seen(len(self._ports))

    def pull(self, slot: int) -> None:
        self._cards.pop(slot).pull()

    def plug(self, slot: int) -> None:
        """After pull(), once pcscd has seen that."""
        _wait_until_seen(len(self._cards))
        self._insert(slot)
        _wait_until_seen(len(self._cards))

    def pull_all(self) -> None:
        for slot in list(self._cards):
            self.pull(slot)

    def _insert(self, slot: int) -> None:
        atr = bytes.fromhex(_ATR.format(slot + 1))
        self._cards[slot] = VpcdCard(self._ports[slot], atr, answer)


@contextmanager
def plugged(rig: pcscd_rig.PcscdRig) -> Iterator[Slots]:
    slots = Slots(rig)
    try:
        yield slots
    finally:
        slots.pull_all()
        _wait_until_seen(0)


def _wait_until_seen(count: int) -> None:
    _, context = scard.SCardEstablishContext(scard.SCARD_SCOPE_USER)
    try:
        _, names = scard.SCardListReaders(context, [])
        states = [(name, scard.SCARD_STATE_UNAWARE, []) for name in names]
        for _ in range(60):
            _, states = scard.SCardGetStatusChange(context, 200, states)
            if sum(bool(each[1] & scard.SCARD_STATE_PRESENT) for each in states) == count:
                return
    finally:
        scard.SCardReleaseContext(context)
    raise RuntimeError("pcscd does not see the cards")


class SimCard:
    """The same card, as a slot of the simulator takes it.  number: 1..4, in its ATR."""

    label, contactless, version = "SIM", False, 0

    def __init__(self, number: int):
        self.atr = bytes.fromhex(_ATR.format(number))

    def power_on(self) -> bytes:
        return self.atr

    def power_off(self) -> None: ...

    def transmit(self, command: bytes) -> bytes:
        return answer(command)
