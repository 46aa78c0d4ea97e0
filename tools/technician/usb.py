"""What is plugged into this computer's USB, as the kernel tells it in sysfs; nothing is opened."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from tools.technician.ident import Ident

TREE = Path("/sys/bus/usb/devices")
OURS = "sscterm"  # the maker's name that tools/door/gadget.py gives

BOOT_MODES = {
    "0a5c:2763": "BCM2835 (Pi Zero, CM1)",
    "0a5c:2764": "BCM2837 (Pi 3, Zero 2 W, CM3)",
    "0a5c:2711": "BCM2711 (Pi 4, CM4)",
    "0a5c:2712": "BCM2712 (Pi 5, CM5)",
}
"""Boards whose boot ROM waits for its first program over USB; the numbers are those of rpiboot."""

_MASS_STORAGE = "08"
_PRODUCT = re.compile(r"sscterm (\S{1,32}) (waiting|refused|provisioned)")
_NAME = re.compile(r"[A-Za-z0-9-]{1,32}")
_MOST = 127  # devices on one bus


@dataclass(frozen=True)
class Device:
    """port: where it is plugged in, as "1-1.4".  lines: its serial lines, as "/dev/ttyACM0"."""

    port: str
    numbers: str  # "0a5c:2711"
    manufacturer: str
    product: str
    serial: str
    lines: tuple[str, ...]
    is_storage: bool

    @property
    def ident(self) -> Ident | None:
        """Who a terminal's gadget says it is; None for any other device."""
        found = _PRODUCT.fullmatch(self.product)
        if self.manufacturer != OURS or found is None or not _NAME.fullmatch(self.serial):
            return None
        version, state = found.groups()
        return Ident(version, "" if state == "waiting" else self.serial, state)


def devices(tree: Path = TREE) -> list[Device]:
    """Those that are no hub and no root, in the order of their places."""
    found = []
    for path in sorted(tree.iterdir()) if tree.is_dir() else []:
        if ":" in path.name or path.name.startswith("usb") or _text(path / "bDeviceClass") == "09":
            continue
        if not (path / "idVendor").exists():
            continue
        interfaces = sorted(tree.glob(f"{path.name}:*"))
        found.append(
            Device(
                path.name,
                f"{_text(path / 'idVendor')}:{_text(path / 'idProduct')}",
                _text(path / "manufacturer"),
                _text(path / "product"),
                _text(path / "serial"),
                tuple(f"/dev/{name}" for each in interfaces for name in _lines(each)),
                any(_text(each / "bInterfaceClass") == _MASS_STORAGE for each in interfaces),
            )
        )
    return found[: 16 * _MOST]


def _lines(interface: Path) -> list[str]:
    """cdc_acm: tty/ttyACM0; usb-serial: ttyUSB0/tty/ttyUSB0."""
    return sorted(
        {each.name for each in [*interface.glob("tty/tty*"), *interface.glob("tty*/tty/tty*")]}
    )


def _text(path: Path) -> str:
    """What a device says of itself is not ours: shortened, and without control characters."""
    try:
        raw = path.read_bytes()[:256]
    except OSError:
        return ""
    return printable(raw.decode("utf-8", "replace").strip())


def printable(text: str) -> str:
    return "".join(each if each.isprintable() else "?" for each in text)[:128]
