"""A simulated card, an emulated CCID reader on a pty, and our driver before them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

from firmware.drivers import ccid_reader
from firmware.drivers.ccid_reader import CcidReader, open_ccid
from firmware.outcome import TransportError
from simulator.ccid_device import CcidDevice
from simulator.region import Region
from simulator.world import World
from tests.waiting import SOON_S

GET_CHALLENGE = bytes.fromhex("0084000008")
XFR, POWER_ON, POWER_OFF, STATUS = 0x6F, 0x62, 0x63, 0x65


class Bench:
    """device: the emulated reader.  reader: our driver on its slot 0.  world: the cards."""

    def __init__(self, folder: Path, model: str = "", **how: Any):
        self.world = World(Region("510100", seed="CCID"))
        self.card = self.world.region.issue_card(1)
        self.world.insert("user", self.card.label)
        slots = [self.world.slot("user"), self.world.slot("psam")]
        self.path = folder / "reader"
        self.device = CcidDevice(self.path, slots, **how)
        self.reader = open_ccid(f"{self.path}#0{model}")

    def other(self, slot: int = 1) -> CcidReader:
        return open_ccid(f"{self.path}#{slot}")

    def put_back(self) -> None:
        self.world.insert("user", self.card.label)


@contextmanager
def bench(folder: Path, model: str = "", **how: Any) -> Iterator[Bench]:
    """Its reader has all the time that a busy machine may take."""
    made = Bench(folder, model, **how)
    with made.device, mock.patch.multiple(ccid_reader, STATUS_S=SOON_S, POWER_ON_S=SOON_S):
        yield made
    made.reader.close()


def fault_of(call: Callable[..., Any], *arguments: Any) -> tuple[str, float]:
    """The kind of its TransportError, and how many seconds it took to come."""
    began = time.monotonic()
    try:
        call(*arguments)
    except TransportError as fault:
        return fault.kind, time.monotonic() - began
    raise AssertionError("no fault")
