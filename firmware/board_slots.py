"""What board.toml must say of a slot's pins, and which pins the buses of the header take."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from firmware.board_lines import Place
from firmware.board_parts import SLOT_PINS, Psam, Reader
from firmware.board_schema import File

BARE = "iso7816:"
"""A slot without a reader's own firmware: the only one that is switched by pins."""
BUSES = {
    "i2c-1": (2, 3),  # SDA, SCL
    "spi0.0": (8, 9, 10, 11),  # CE0, MISO, MOSI, SCLK
    "spi0.1": (7, 9, 10, 11),  # CE1
    "ttyAMA0": (14, 15),  # TXD, RXD
    "ttyS0": (14, 15),
    "serial0": (14, 15),
}
"""Device under /dev -> the pins of the header that are its own (BCM)."""


def slot_pins(place: Place, slot: Reader | Psam) -> list[tuple[Place, int]]:
    """Those that are wired, by their place in the file."""
    wired = {name: getattr(slot, name) for name in SLOT_PINS}
    return [((*place, name), pin) for name, pin in wired.items() if pin is not None]


def check_slot(place: Place, slot: Reader | Psam, file: File) -> None:
    """A slot with pins is a bare one, and RST is among them."""
    wired = slot_pins(place, slot)
    if not wired:
        return
    if not slot.address.startswith(BARE):
        raise file.error(
            wired[0][0],
            f"{slot.address} 自行控制卡槽，不用引脚，请删除此项",
            f"{slot.address} switches its slot by itself: remove this pin",
        )
    if slot.reset_pin is None:
        raise file.error(
            (*place, "reset_pin"),
            "裸卡槽接了引脚就须接复位，请补上 reset_pin",
            "a bare slot on pins needs its reset on one, too; add it",
        )


def bus_pins(devices: Mapping[Place, str]) -> Iterator[tuple[Place, int, str]]:
    """devices: what the parts are at, paths or addresses.  Each pin that such a bus takes, once,
    with the place of the first part at it and the bus."""
    seen: set[str] = set()
    for place, device in devices.items():
        for bus, pins in BUSES.items():
            if bus in seen or not device.partition("#")[0].partition("?")[0].endswith(f"/{bus}"):
                continue
            seen.add(bus)
            for pin in pins:
                yield place, pin, bus
