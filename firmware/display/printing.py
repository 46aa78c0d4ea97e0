"""The receipt printer of a unit: orders in from the card loop, a thread of its own that prints.

Nothing waits for paper: a printer without paper may block a write for ever.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from queue import Full, Queue
from typing import Any, Protocol

from firmware.board_parts import Printer
from firmware.display.receipt import compose, dots
from firmware.outcome import TransportError

log = logging.getLogger(__name__)

MOST_WAITING = 10


class Device(Protocol):
    """Every method raises TransportError."""

    def begin(self) -> None: ...
    def text(self, line: str, is_large: bool, is_centred: bool) -> None: ...
    def raster(self, width: int, rows: bytes) -> None: ...
    def end(self, cuts: bool) -> None: ...
    def close(self) -> None: ...


class Print:
    """One receipt on its way.  trouble: why it did not come out, None while it may or if it did."""

    def __init__(self, paid: Mapping[str, Any], is_copy: bool):
        self.paid = paid
        self.is_copy = is_copy
        self.trouble: str | None = None
        self._over = threading.Event()

    @property
    def is_over(self) -> bool:
        return self._over.is_set()

    def ends(self, trouble: str | None) -> None:
        self.trouble = trouble
        self._over.set()


class Printing:
    """submit() from the card loop; the rest happens in a thread that starts with the first."""

    def __init__(self, device: Device, settings: Printer, unit: str):
        self.is_automatic = settings.when == "always"
        self._device = device
        self._settings = settings
        self._unit = unit
        self._waiting: Queue[Print] = Queue(MOST_WAITING)
        self._thread: threading.Thread | None = None

    def submit(self, paid: Mapping[str, Any], is_copy: bool) -> Print:
        """Returns at once.  paid: see display/receipt.py."""
        order = Print(paid, is_copy)
        try:
            self._waiting.put_nowait(order)
        except Full:
            order.ends("the printer is stuck: earlier receipts still wait")
            return order
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="printer", daemon=True)
            self._thread.start()
        return order

    def _run(self) -> None:
        while True:
            order = self._waiting.get()
            try:
                self._print(order)
            except TransportError as fault:
                log.warning("receipt: %s", fault)
                order.ends(fault.what)
            except Exception as error:
                log.exception("receipt")
                order.ends(f"{type(error).__name__}")
            else:
                order.ends(None)
            self._device.close()

    def _print(self, order: Print) -> None:
        settings = self._settings
        columns = settings.columns
        lines = compose(order.paid, self._unit, settings.title or "", columns, order.is_copy)
        self._device.begin()
        for line in lines:
            if settings.chinese == "gb18030":
                self._device.text(line.text, line.is_large, line.is_centred)
            else:
                self._device.raster(columns * 2, dots(line, columns))
        self._device.end(settings.cut)
