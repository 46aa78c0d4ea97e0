"""A terminal's reader on one end of a pty, a simulated contact card on the other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

from firmware.drivers import characters, contact
from firmware.drivers.iso7816 import Iso7816Reader, open_iso7816
from firmware.outcome import TransportError
from simulator.contact import ContactCard
from simulator.contact_atr import Nature
from simulator.slot import SimulatedSlot

BUSY_S = 8.0  # a busy machine
SILENCE_S = 0.5
READ = bytes.fromhex("00B2010410")
SELECT = bytes.fromhex("00A4040003112233")
QUICK_T1 = Nature(protocol=1, ifsc=16, bwi=0, cwi=3)  # its short waits are soon over
HISTORICAL = bytes.fromhex("0081544C0086840807230005C0")


class EchoChip:
    """Answers each command with P3 bytes of its own, or takes P3 bytes; counts what it executed."""

    def __init__(self) -> None:
        self.executed: list[bytes] = []
        self.starts = 0

    def power_on(self) -> bytes:
        self.starts += 1
        return b"\x3b\x6d\x00\x00" + HISTORICAL

    def power_off(self) -> None:
        pass

    def transmit(self, command: bytes) -> bytes:
        self.executed.append(command)
        if len(command) > 5:
            return b"\x90\x00"
        return bytes(range(256))[: command[4] or 256] + b"\x90\x00"


class SlotChip:
    """The card in a simulator's slot, its hand and its counters included; b"" once it has left."""

    def __init__(self, slot: SimulatedSlot):
        self._slot = slot

    def is_there(self) -> bool:
        return bool(self._slot.cards)

    def power_on(self) -> bytes:
        try:
            return self._slot.power_on()
        except TransportError:
            return b""

    def power_off(self) -> None:
        self._slot.power_off()

    def transmit(self, command: bytes) -> bytes:
        try:
            return self._slot.exchange(command)
        except TransportError:
            return b""


@contextmanager
def wired(
    chip: Any,
    nature: Nature | None = None,
    *,
    options: str = "",
    latency_s: float = BUSY_S,
    **how: Any,
) -> Iterator[tuple[ContactCard, Iso7816Reader]]:
    """(card, reader): the reader's lines are the card's.  latency_s: what the reader allows the
    machine beyond the times of the card; a test that waits for a silence gives SILENCE_S."""
    with (
        mock.patch.object(contact, "LATENCY_S", latency_s),
        mock.patch.object(characters, "LATENCY_S", latency_s),
        ContactCard(chip, nature, **how) as card,
    ):
        reader = open_iso7816(card.device + options, card)
        try:
            yield card, reader
        finally:
            reader.close()
