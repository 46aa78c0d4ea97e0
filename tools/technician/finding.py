"""Terminals on USB, on serial lines, on the local network: what each is, before it is touched.

`locate` turns what a technician typed into one place; the others look around.  A serial line is
asked only where its USB strings are a terminal's, where it was named, or with all_serial: opening
one raises DTR and RTS, and what is at its other end may mind.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from tools.door.line import BAUD
from tools.technician import ident, lan, place, usb
from tools.technician.errors import FlashError
from tools.technician.ident import Ident
from tools.technician.place import Place
from tools.technician.usb import Device

LAN, SERIAL = "lan", "serial"
UNIT, BOOT, STORAGE, UNKNOWN, SILENT = "unit", "boot", "storage", "unknown", "silent"
"""A terminal; a board waiting for rpiboot; a card reader or disk; something else; no answer."""

_NAME = re.compile(r"[A-Za-z0-9-]{1,32}")


@dataclass(frozen=True)
class Found:
    """what: UNIT ...  where: for people.  detail: what else is known.

    Of a UNIT: its place, what it says of itself, and its board's serial number ("" if not told).
    """

    what: str
    where: str
    detail: str = ""
    place: Place | None = None
    said: Ident | None = None
    serial: str = ""

    def told(self) -> dict[str, object]:
        """For --json."""
        said = self.said._asdict() if self.said else None
        return {**asdict(self), "said": said}


def on_usb(devices: list[Device]) -> Iterator[Found]:
    """Terminals, boards in boot mode, disks, and serial lines of others; the rest is left out."""
    for each in devices:
        where = f"USB {each.port}"
        name = " ".join(word for word in (each.manufacturer, each.product) if word)
        if each.ident is not None:
            for line in each.lines:
                yield _unit(where, Place(SERIAL, line, BAUD), each.ident, each.serial)
            if not each.lines:
                yield Found(SILENT, where, f"{name} {each.serial}: no serial line yet")
        elif each.numbers in usb.BOOT_MODES:
            yield Found(BOOT, where, usb.BOOT_MODES[each.numbers])
        elif each.is_storage:
            yield Found(STORAGE, where, name or each.numbers)
        else:
            for line in each.lines:
                yield Found(UNKNOWN, line, f"{where} {each.numbers} {name}".strip())


def on_line(device: str, baud: int, seconds: float) -> Found:
    """Asks; a terminal, or SILENT, or UNKNOWN.  Raises FlashError 1109, 1452."""
    at = Place(SERIAL, device, baud)
    try:
        said = ident.ask_line(device, baud, seconds)
    except FlashError as error:
        if error.number != 1454:
            raise
        return Found(SILENT, device, f"{baud} baud")
    return Found(UNKNOWN, device, "SSH") if said is None else _unit(device, at, said)


def on_address(host: str, port: int, seconds: float) -> Found:
    """Asks; a terminal or UNKNOWN.  Raises FlashError 1454."""
    at = Place(LAN, host, port)
    said = ident.ask_address(host.strip("[]"), port, seconds)
    return Found(UNKNOWN, str(at), "SSH") if said is None else _unit(str(at), at, said)


def on_lan(seconds: float, wanted: str = "", interfaces: list[str] | None = None) -> list[Found]:
    """wanted: a unit's id; it is not waited longer when that has answered.

    Raises FlashError 1455, 1456.
    """
    found = []
    for each in lan.answers(seconds, wanted, interfaces):
        host = f"[{each.address}]" if ":" in each.address else each.address
        at = Place(LAN, host, each.port)
        if each.ident is None:
            found.append(Found(UNKNOWN, str(at), f"mDNS {each.name}"))
        else:
            found.append(_unit(str(at), at, each.ident, each.serial))
    return found


def _unit(where: str, at: Place, said: Ident, serial: str = "") -> Found:
    named = Place(at.kind, at.address, at.port, said.unit)
    return Found(UNIT, where, place=named, said=said, serial=serial)


def lines() -> list[str]:
    """Every serial line of this computer, as pyserial knows them; nothing is opened."""
    from serial.tools import list_ports

    return sorted(each.device for each in list_ports.comports())


def locate(target: str, seconds: float = 5.0, *, tree: Path = usb.TREE) -> Place:
    """The one place that `target` names; asked only as far as is needed to know it.

    target: HOST, HOST:PORT, "serial:/dev/ttyUSB0@9600", "usb" (the only terminal there), or a
    unit's id: on USB, then on the LAN, then a name of DNS.  A host or line that was named is not
    spoken to here.  Raises FlashError 1422, 1450 (none there), 1451 (several).
    """
    if _NAME.fullmatch(target):
        plugged = [each for each in on_usb(usb.devices(tree)) if each.place]
        if target == "usb":
            return _only(plugged, target)
        named = [each for each in plugged if target in _names(each)]
        named = named or [each for each in _on_lan(seconds, target) if target in _names(each)]
        if named:
            return _only(named, target)
    return place.of(target)


def _names(found: Found) -> set[str]:
    return {found.said.unit if found.said else "", found.serial} - {""}


def _on_lan(seconds: float, wanted: str) -> list[Found]:
    """None where this computer cannot ask there."""
    try:
        return [each for each in on_lan(seconds, wanted) if each.place]
    except FlashError as error:
        if error.number not in (1455, 1456):
            raise
        return []


def _only(found: list[Found], target: str) -> Place:
    """One unit that is there several times, on IPv4 and IPv6 or on two cards, is still several."""
    places = [each.place for each in found if each.place]
    if not places:
        raise FlashError(1450, target)
    if len(places) > 1:
        raise FlashError(1451, ", ".join(map(str, places)))
    return places[0]
