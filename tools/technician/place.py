"""Where a unit that runs is reached: an address on the network, or a serial line."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from tools.door.line import BAUD
from tools.technician.errors import FlashError

SSH_PORT = 22
SERIAL = "serial:"
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252}[A-Za-z0-9])?|\[[0-9A-Fa-f:.%a-z]{2,60}\]")


@dataclass(frozen=True)
class Place:
    """kind: "lan" or "serial".  address: of a host, or a device.  port: or the baud rate.

    unit: its id where that is known already, else "".
    """

    kind: str
    address: str
    port: int
    unit: str = ""

    @property
    def name(self) -> str:
        """By which this computer remembers the unit's host key."""
        return self.unit or f"{self.kind}-{self.address.strip('[]').replace('/', '-')}-{self.port}"

    def __str__(self) -> str:
        prefix, sign = (SERIAL, "@") if self.kind == "serial" else ("", ":")
        return f"{prefix}{self.address}{sign}{self.port}"


def is_live(target: str) -> bool:
    """Whether it names a running unit; a card or an image is a path, or a file by its ending."""
    if target.startswith(SERIAL):
        return True
    is_file = "/" in target or target.endswith((".img", ".zst", ".wic")) or Path(target).exists()
    return not is_file


def of(target: str) -> Place:
    """HOST, HOST:PORT, [IPV6]:PORT, serial:DEVICE, serial:DEVICE@BAUD.  Raises FlashError 1422."""
    if target.startswith(SERIAL):
        device, _, baud = target.removeprefix(SERIAL).partition("@")
        if not device or not Path(device).exists():
            raise FlashError(1422, f"{device or target}: no such line")
        return Place("serial", device, _number(baud or str(BAUD), target, 4_000_000))
    host, port = target, str(SSH_PORT)
    if (not target.endswith("]") and target.count(":") == 1) or "]:" in target:
        host, _, port = target.rpartition(":")
    if not _HOST.fullmatch(host):
        raise FlashError(1422, target[:80])
    return Place("lan", host, _number(port, target, 65_535))


def _number(text: str, target: str, most: int) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:10]) <= most:
        raise FlashError(1422, target[:80])
    return int(text)
