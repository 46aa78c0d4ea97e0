"""`python -m tools.door.gadget`: makes the board's device port a serial line with the unit's name.

For boards with a USB device port (Zero 2 W, CM4, Pi 4 by its USB-C), as root: configfs of the
kernel (Documentation/usb/gadget_configfs.rst).  The other computer then has a /dev/ttyACM0 whose
USB strings say who this is, before it is opened; here it is /dev/ttyGS0.  A board without such a
port does nothing.
"""

from __future__ import annotations

import os
from pathlib import Path

from tools.door.announce import Places, Said, look

GADGETS = Path("/sys/kernel/config/usb_gadget")
PORTS = Path("/sys/class/udc")
NAME = "sscterm"
ENGLISH = "strings/0x409"
FUNCTION = "functions/acm.GS0"
CONFIGURATION = "configs/c.1"

# Linux Foundation, multifunction composite gadget: for gadgets of the kernel's own functions.
NUMBERS = {"idVendor": "0x1d6b", "idProduct": "0x0104", "bcdUSB": "0x0200", "bcdDevice": "0x0100"}


def strings(said: Said) -> dict[str, str]:
    """What a technician's computer sees: maker, product, serial number."""
    return {
        "manufacturer": NAME,
        "product": f"{NAME} {said.version} {said.state}",
        "serialnumber": said.name,
    }


def make(said: Said, port: str, gadgets: Path = GADGETS) -> None:
    """port: a name in PORTS.  One that is there is let go and given its new strings.

    Raises OSError, e.g. where the kernel's module libcomposite is missing.
    """
    gadget = gadgets / NAME
    bound = gadget / "UDC"
    if bound.exists() and bound.read_text().strip():
        bound.write_text("\n")
    for folder in (ENGLISH, FUNCTION, f"{CONFIGURATION}/{ENGLISH}"):
        (gadget / folder).mkdir(parents=True, exist_ok=True)
    for name, value in NUMBERS.items():
        (gadget / name).write_text(value)
    for name, value in strings(said).items():
        (gadget / ENGLISH / name).write_text(value)
    (gadget / CONFIGURATION / ENGLISH / "configuration").write_text("serial line")
    link = gadget / CONFIGURATION / "acm.GS0"
    if not link.is_symlink():
        os.symlink(gadget / FUNCTION, link)
    bound.write_text(port)


def main() -> None:
    ports = sorted(each.name for each in PORTS.iterdir()) if PORTS.is_dir() else []
    if not ports:
        print("gadget: this board has no USB device port", flush=True)
        return
    said = look(Places())
    make(said, ports[0])
    print(f"gadget: {strings(said)} on {ports[0]}", flush=True)


if __name__ == "__main__":
    main()
