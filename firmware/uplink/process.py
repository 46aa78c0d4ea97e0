"""The uplink process: sealed batches leave, receipts and signed files come back.

It has no reader, no key and no journal, only the three folders (uplink/spool.py).  Serial line and
HTTP may serve at the same time; both only read batches, and what both write is judged by the card
process.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path

from firmware.outcome import TransportError
from firmware.uplink.http import UplinkServer
from firmware.uplink.serial import SerialServer, Uart
from firmware.uplink.spool import Spool

_log = logging.getLogger(__name__)

CLEAN_EVERY_S = 2.0
REOPEN_AFTER_S = 2.0  # a USB serial line comes back after its cable
JOIN_S = 5.0


def run(
    unit: str,
    data_dir: Path,
    open_uart: Callable[[], Uart] | None,
    http_listen: str | None,
    stop_event: threading.Event,
) -> None:
    """Serve until `stop_event` is set.

    open_uart: opens the serial line, called again when the line was gone; http_listen: see
    http.listen_address.  Raises ValueError for an address that is not loopback, OSError when the
    folders or the address cannot be had.
    """
    spool = Spool(data_dir)
    line = SerialServer(unit, spool)
    http = None
    if http_listen is not None:
        http = UplinkServer(unit, spool, http_listen, lambda: line.damaged_frames)
        _log.info("http://%s:%d", *http.server_address[:2])
    threads = []
    if open_uart is not None:
        threads.append(threading.Thread(target=serve_line, args=(line, open_uart, stop_event)))
    if http is not None:
        threads.append(threading.Thread(target=http.serve_forever))
    for thread in threads:
        thread.daemon = True  # a line that hangs does not keep the process
        thread.start()
    try:
        while not stop_event.is_set():
            _clean(spool)
            stop_event.wait(CLEAN_EVERY_S)
    finally:
        stop_event.set()
        if http is not None:
            http.shutdown()
            http.server_close()
        for thread in threads:
            thread.join(JOIN_S)


def serve_line(
    server: SerialServer, open_uart: Callable[[], Uart], stop_event: threading.Event
) -> None:
    """Keep the line open: what fails is logged once a change and tried again."""
    complaint = None
    while not stop_event.is_set():
        try:
            uart = open_uart()
            complaint = None
            try:
                server.serve(uart, stop_event)
            finally:
                uart.close()
        except (TransportError, OSError) as error:
            if str(error) != complaint:
                complaint = str(error)
                _log.warning("serial line: %s", complaint)
            stop_event.wait(REOPEN_AFTER_S)


def _clean(spool: Spool) -> None:
    try:
        spool.clean()
    except OSError as error:  # a full or failing disk: batches still leave
        _log.warning("cleaning up: %s", error)
