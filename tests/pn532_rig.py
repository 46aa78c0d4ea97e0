"""An emulated PN532 with one card of a few lines, on a pty or behind an I2C bus's calls."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from firmware.drivers import pn532_link
from firmware.drivers.i2c import I2cDevice
from firmware.drivers.pn532_link import I2cLink
from firmware.drivers.pn532_reader import Pn532Reader, open_pn532
from firmware.outcome import TransportError
from simulator.pn532_device import Pn532
from simulator.pn532_lines import ADDRESS, I2cPn532, SerialPn532
from simulator.slot import SimulatedSlot

BUSY_S = 8.0
ATS = b"\x12\x78\x80\xa0\x02" + bytes(13)
READ = bytes.fromhex("00B0950004")
OK = b"\x90\x00"
EXCHANGE, LIST, RELEASE, DIAGNOSE, FIELD = 0x40, 0x4A, 0x52, 0x00, 0x32


class Tag:
    """A card of a few lines, whose every answer a test decides."""

    contactless = True
    version = 0

    def __init__(self, label: str = "tag", answer: bytes = OK, ats: bytes = ATS):
        self.label, self.answer, self.ats = label, answer, ats
        self.seen: list[bytes] = []

    def power_on(self) -> bytes:
        return self.ats

    def power_off(self) -> None:
        pass

    def transmit(self, command: bytes) -> bytes:
        self.seen.append(command)
        return self.answer


class Bench:
    """A chip, its line, a reader, one tag; `line`: "hsu" or "i2c"."""

    def __init__(self, line: str, kind: str = "A", *, plain: bool = False):
        self.slot = SimulatedSlot("field")
        self.tag = Tag()
        self.chip = Pn532(self.slot, kind, plain=plain)
        self.serial: SerialPn532 | None = None
        if line == "hsu":
            self.serial = SerialPn532(self.chip)
            self.reader = open_pn532(self.serial.device)
        else:
            self.bus = I2cPn532(self.chip)
            self.reader = Pn532Reader(
                "/dev/i2c-1", lambda: I2cLink(I2cDevice(self.bus, ADDRESS, "/dev/i2c-1"))
            )

    def stop(self) -> None:
        self.reader.close()
        if self.serial is not None:
            self.serial.stop()

    def codes(self) -> list[int]:
        return [each[0] for each in self.chip.commands]


# --- fixtures: hsu = pytest.fixture(on_hsu_with_its_tag) ---


def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The emulated chip is a thread: here it may take longer to its ACK than a real one."""
    monkeypatch.setattr(pn532_link, "ACK_S", BUSY_S)
    monkeypatch.setattr(pn532_link.Chip.call, "__defaults__", (b"", BUSY_S))


def on_a_line(request: pytest.FixtureRequest) -> Iterator[Bench]:
    made = Bench(request.param)
    yield made
    made.stop()


def on_hsu_with_its_tag() -> Iterator[Bench]:
    made = Bench("hsu")
    made.slot.insert(made.tag)
    yield made
    made.stop()


def kind_of(function: Any, *arguments: Any) -> str:
    """Of the TransportError that it raises."""
    with pytest.raises(TransportError) as error:
        function(*arguments)
    return error.value.kind
