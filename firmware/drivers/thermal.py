"""An ESC/POS thermal printer, by python-escpos: lines of text, rows of dots, a cut.

`serial:DEVICE` (8N1, no flow control) and `file:DEVICE` (the kernel's /dev/usb/lp0).  No printer on
the network: the card process has none.  python-escpos is imported when the printer is first used.
Every call may block as long as the printer likes; who calls it keeps a thread for that.
"""

from __future__ import annotations

import importlib
import os
from typing import Any

from firmware.outcome import TransportError

STATUS_S = 0.3  # a printer answers a real-time command at once
WRITE_S = 10.0
_CHINESE_ON = b"\x1c\x26"  # FS &: bytes above 80 are Chinese, two or four (GB 18030)
_LARGE, _USUAL = b"\x1d\x21\x11", b"\x1d\x21\x00"  # GS !: twice as wide and high
_LARGE_CHINESE, _USUAL_CHINESE = b"\x1c\x57\x01", b"\x1c\x57\x00"  # FS W: Chinese, too
_RASTER = b"\x1d\x76\x30\x00"  # GS v 0: width in bytes, height in dots, rows


class ThermalPrinter:
    """address: "serial:DEVICE" or "file:DEVICE".  Every method raises TransportError.

    asks_paper: whether the printer says if it has paper; a file can never be asked.
    """

    def __init__(self, address: str, baud: int, asks_paper: bool):
        self._scheme, _, self._device = address.partition(":")
        self._baud = baud
        self._asks_paper = asks_paper and self._scheme == "serial"
        self._printer: Any = None

    def look(self) -> str:
        """Whether it is there, and has paper."""
        try:
            self._do(self._open)
            self.check_paper()
        finally:
            self.close()
        return "has paper" if self._asks_paper else "is there; it is not asked for paper"

    def begin(self) -> None:
        """Open the device, ask for paper, put the printer into its first state."""
        self._do(self._open)
        self.check_paper()
        self._do(lambda: self._printer.hw("INIT"))

    def text(self, line: str, is_large: bool, is_centred: bool) -> None:
        """One line in the printer's own glyphs; a character beyond GB 18030 does not exist."""
        large = _LARGE + _LARGE_CHINESE if is_large else _USUAL + _USUAL_CHINESE
        content = line.encode("gb18030", "replace")
        self._do(lambda: self._printer.set(align="center" if is_centred else "left"))
        self._do(lambda: self._printer._raw(large + _CHINESE_ON + content + b"\n"))

    def raster(self, width: int, rows: bytes) -> None:
        """Dots: rows of `width` bytes, the most significant bit leftmost, 1 black."""
        height = len(rows) // width
        size = width.to_bytes(2, "little") + height.to_bytes(2, "little")
        self._do(lambda: self._printer._raw(_RASTER + size + rows))

    def end(self, cuts: bool) -> None:
        """Feed the last line out, cut, ask for paper again, close."""
        self._do(lambda: self._printer.cut() if cuts else self._printer.print_and_feed(4))
        self.check_paper()
        self.close()

    def check_paper(self) -> None:
        if not self._asks_paper:
            return
        status = self._do(lambda: self._printer.query_status(b"\x10\x04\x04"))  # DLE EOT 4
        if not status:
            raise TransportError(f"the printer on {self._device} does not answer: is it on?")
        if status[-1] & 0x60:
            raise TransportError(f"the printer on {self._device} has no paper")

    def close(self) -> None:
        """Twice is once; quietly."""
        printer, self._printer = self._printer, None
        if printer is not None:
            try:
                printer.close()
            except Exception:  # the line is gone: so is what waited in it
                printer._device = False  # or python-escpos tries again when it is collected

    def _open(self) -> None:
        self.close()
        printers = importlib.import_module("escpos.printer")
        if self._scheme == "file":
            os.stat(self._device)  # where no printer is, a file of that name would be made
            self._printer = printers.File(self._device)
        else:
            self._printer = printers.Serial(
                self._device, baudrate=self._baud, timeout=STATUS_S, dsrdtr=False
            )
        self._printer.open()
        if self._scheme == "serial":
            self._printer.device.write_timeout = WRITE_S
            self._printer.device.reset_input_buffer()

    def _do(self, act: Any) -> Any:
        """python-escpos passes on whatever pyserial, the kernel or itself throws."""
        try:
            return act()
        except TransportError:
            raise
        except Exception as error:
            self.close()
            raise TransportError(f"the printer on {self._device} failed: {_why(error)}") from None


def _why(error: Exception) -> str:
    """In one line, of the kernel's error beneath where there is one."""
    if isinstance(error, ImportError):
        return f"{error}: make environment-hardware installs it"
    beneath = error.__cause__ or error.__context__ or error
    if isinstance(beneath, OSError) and beneath.errno:
        return f"{os.strerror(beneath.errno)}: check its cable, and the address in board.toml"
    return " ".join(str(error).split())
