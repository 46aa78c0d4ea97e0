"""What the kernel's own device trees of a Pi lack for a terminal, put into them by fdtput.

They have no symbols and Debian ships no overlays, so `dtparam=` and `dtoverlay=` of config.txt do
nothing to them.  Changed, as docs/hardware.md promises it:

UART    the PL011 (/dev/ttyAMA0) comes to pins 14 and 15; Bluetooth, which has it, is off, and so is
        the mini UART, which has those pins
SPI     the bus on pins 7 to 11 is on, with spidev for either chip select
"""

from __future__ import annotations

import re
from pathlib import Path

from tools.image.disk import ImageError, run

GPIO, PL011, MINI_UART = "/soc/gpio@7e200000", "/soc/serial@7e201000", "/soc/serial@7e215040"
SPI = "/soc/spi@7e204000"
UART_PINS, SPI_PINS = f"{GPIO}/uart0_gpio14", f"{GPIO}/spi0_gpio7"
SPIDEV = "rohm,dh2228fv"
"""A name that Linux's spidev driver answers to; it warns of "spidev" itself."""
SPI_HZ = 50_000_000
CHIP_SELECTS = (0, 1)


def settle(tree: Path) -> None:
    """Change the blob in place.  Raises ImageError for one that has other nodes."""
    for node in (PL011, MINI_UART, SPI, UART_PINS, SPI_PINS):
        run("fdtget", "-p", tree, node)  # fdtput would make one that is not there
    if "bluetooth" in run("fdtget", "-l", tree, PL011).split():
        run("fdtput", "-r", tree, f"{PL011}/bluetooth")
    _remove(tree, PL011, "uart-has-rtscts")
    _put(tree, PL011, "pinctrl-0", "u", _phandle(tree, UART_PINS))
    _put(tree, MINI_UART, "status", "s", "disabled")
    _remove(tree, "/chosen", "stdout-path")  # the mini UART
    _put(tree, SPI, "status", "s", "okay")
    _put(tree, SPI, "pinctrl-names", "s", "default")
    _put(tree, SPI, "pinctrl-0", "u", _phandle(tree, SPI_PINS))
    for each in CHIP_SELECTS:
        node = f"{SPI}/spidev@{each}"
        run("fdtput", "-c", tree, node)
        _put(tree, node, "compatible", "s", SPIDEV)
        _put(tree, node, "reg", "u", each)
        _put(tree, node, "spi-max-frequency", "u", SPI_HZ)


def _put(tree: Path, node: str, name: str, kind: str, value: object) -> None:
    run("fdtput", "-t", kind, tree, node, name, str(value))


def _remove(tree: Path, node: str, name: str) -> None:
    if name in run("fdtget", "-p", tree, node).split():
        run("fdtput", "-d", tree, node, name)


def _phandle(tree: Path, node: str) -> int:
    """By which others name the node: its own, or one that is free, which it then gets."""
    if "phandle" in run("fdtget", "-p", tree, node).split():
        return int(run("fdtget", "-t", "u", tree, node, "phandle"))
    source = run("dtc", "-q", "-I", "dtb", "-O", "dts", tree)
    known = [int(each, 16) for each in re.findall(r"\bphandle = <(0x[0-9a-f]+)>", source)]
    if not known:
        raise ImageError(f"{tree.name}: no phandles")
    _put(tree, node, "phandle", "u", max(known) + 1)
    return max(known) + 1
