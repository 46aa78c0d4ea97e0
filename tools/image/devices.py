"""Which devices each process of a unit may open: those that its board.toml names, and no others.

    python -m tools.image.devices BOARD.TOML FOLDER

Writes sscterm-card.service.d/devices.conf and its sisters of uplink and host below FOLDER
(/run/systemd/system on a unit, before the services start).  A board that is refused names no
device: the services start without any, and say themselves what is wrong.  Exit status 0.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from firmware.board import Board, BoardError, load
from firmware.board_parts import SLOT_PINS

FIXED = {
    "ttyUSB": (188, 0),
    "ttyACM": (166, 0),
    "ttyS": (4, 64),
    "ttyAMA": (204, 64),
    "i2c-": (89, 0),
    "usb/lp": (180, 0),
}
"""Name of a device -> its major number and the minor of number 0 (Linux, devices.txt).

A device of these may be allowed before it is there: one on USB comes when it is plugged in.
"""
GPIO = "char-gpiochip"
_SERIAL = re.compile(r"(?:ccid|iso7816|pn532|epp|serial|file):(/dev/[^?#]+)")
_FIND_CHIP = "ProcSubset=all\n"
"""The pins' library looks in /proc/device-tree which board it runs on."""


def of_card(board: Board) -> set[str]:
    """What the card process may open: readers, PSAM slot, pad, panel, printer and pins."""
    parts = (*board.readers, board.psam, board.pad, board.printer)
    matches = [_SERIAL.match(part.address) for part in parts if part is not None]
    found = {match[1] for match in matches if match}
    panel = None if board.display is None else board.display.panel
    if panel is not None and panel.scheme == "i2c":
        found.add("/dev/i2c-{}".format(panel.bus.removeprefix("i2c:").partition("@")[0]))
    if panel is not None and panel.scheme == "spi":
        found.add("/dev/spidev{}.{}".format(*panel.spi))
    return found | ({GPIO} if _has_pins(board) else set())


def _has_pins(board: Board) -> bool:
    slots = (*board.readers, board.psam)
    is_matrix = board.pad is not None and board.pad.address.startswith("gpio:")
    panel = None if board.display is None else board.display.panel
    is_slot_wired = any(getattr(slot, name) is not None for slot in slots for name in SLOT_PINS)
    has_panel_pins = panel is not None and panel.pins != ()
    return is_matrix or is_slot_wired or has_panel_pins or board.pins.named() != {}


def of_uplink(board: Board) -> set[str]:
    """The serial line of the uplink, if it has one."""
    return set() if board.uplink.serial is None else {str(board.uplink.serial.device)}


def of_host(board: Board) -> set[str]:
    """The serial line of a host, if it has one."""
    return set() if board.host.serial is None else {str(board.host.serial.device)}


def drop_in(devices: set[str]) -> str:
    lines = [f"DeviceAllow={allowed(each)} rw\n" for each in sorted(devices)]
    return "[Service]\n" + "".join(lines) + (_FIND_CHIP if GPIO in devices else "")


def allowed(device: str) -> str:
    """As DeviceAllow= takes it: by number where that is fixed, else by path, which must exist."""
    for name, (major, first) in FIXED.items():
        if match := re.fullmatch(rf"/dev/{name}(\d{{1,3}})", device):
            return f"/dev/char/{major}:{first + int(match[1])}"
    return device


def write(board: Board | None, folder: Path) -> None:
    for process, named in (("card", of_card), ("uplink", of_uplink), ("host", of_host)):
        devices = set() if board is None else named(board)
        place = folder / f"sscterm-{process}.service.d"
        place.mkdir(parents=True, exist_ok=True)
        (place / "devices.conf").write_text(drop_in(devices))


def main() -> None:
    _, path, folder = sys.argv
    try:
        board = load(path)
    except BoardError as error:
        print(f"no device is allowed: {error}", file=sys.stderr)
        write(None, Path(folder))
        return
    write(board, Path(folder))


if __name__ == "__main__":
    main()
