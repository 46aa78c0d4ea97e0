"""The uplink process: sealed batches leave, receipts and signed files come back.

It has no reader, no journal and no key but that of its TLS, only the three folders
(uplink/spool.py).  Every link of the board serves at the same time: all only read batches, and what
they write is judged by the card process.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from firmware.board_sections import Http, Uplink
from firmware.outcome import TransportError
from firmware.supervise import Supervisor
from firmware.uplink.serial import SerialServer, Uart
from firmware.uplink.spool import Spool

if TYPE_CHECKING:
    from firmware.uplink.http import UplinkServer

_log = logging.getLogger(__name__)

CLEAN_EVERY_S = 2.0
REOPEN_AFTER_S = 2.0  # a USB serial line comes back after its cable
JOIN_S = 5.0


def run(
    unit: str,
    data_dir: Path,
    links: Uplink,
    open_uart: Callable[[], Uart] | None,
    stop_event: threading.Event,
    supervisor: Supervisor | None = None,
) -> None:
    """Serve until `stop_event` is set.

    open_uart: opens the serial line, called again when the line was gone.  Raises ValueError for an
    address that needs TLS and has none, OSError when the folders or the address cannot be had.
    """
    supervisor = supervisor or Supervisor()
    spool = Spool(data_dir)
    line = SerialServer(unit, spool)
    http = _http_server(unit, spool, links.http, data_dir, line)
    acts: list[Callable[[], object]] = [
        partial(run_link, stop_event) for run_link in _pushing(unit, spool, links, data_dir)
    ]
    if open_uart is not None:
        acts.append(partial(serve_line, line, open_uart, stop_event))
    if http is not None:
        acts.append(http.serve_forever)
    threads = [threading.Thread(target=_keep, args=(act, stop_event), daemon=True) for act in acts]
    for thread in threads:  # daemons: a line that hangs does not keep the process
        thread.start()
    try:
        supervisor.ready()
        while not stop_event.is_set():
            supervisor.beat()
            _clean(spool)
            stop_event.wait(CLEAN_EVERY_S)
    finally:
        supervisor.stopping()
        stop_event.set()
        if http is not None:
            http.shutdown()
            http.server_close()
        for thread in threads:
            thread.join(JOIN_S)


def _http_server(
    unit: str, spool: Spool, settings: Http | None, data_dir: Path, line: SerialServer
) -> UplinkServer | None:
    if settings is None:
        return None
    from firmware.uplink import tls
    from firmware.uplink.http import UplinkServer

    context = partial(tls.server_context, data_dir) if settings.tls else None
    server = UplinkServer(unit, spool, settings.listen, lambda: line.damaged_frames, context)
    _log.info("http%s://%s:%d", "s" if settings.tls else "", *server.server_address[:2])
    return server


def _pushing(
    unit: str, spool: Spool, links: Uplink, data_dir: Path
) -> list[Callable[[threading.Event], None]]:
    """run() of each link that sends by itself.

    A link that is not named costs no memory: OpenSSL and asyncio come with those that need them.
    """
    found: list[Callable[[threading.Event], None]] = []
    if links.https is not None:
        from firmware.uplink.https import HttpsCollector
        from firmware.uplink.push import Pusher

        collector = HttpsCollector(links.https.url, data_dir)
        found.append(Pusher("https", spool, collector, links.https.poll_s).run)
    if links.nats is not None:
        from firmware.uplink.nats import NatsLink

        at = links.nats
        link = NatsLink(unit, spool, data_dir, at.url, at.ca, at.credentials, at.poll_s)
        found.append(link.run)
    if links.drop is not None:
        from firmware.uplink.drop import DropLink

        found.append(DropLink(unit, spool, links.drop.folder).run)
    return found


def _keep(act: Callable[[], object], stop_event: threading.Event) -> None:
    """A link that meets a fault nobody foresaw begins again, and the others never notice.

    It begins once in any case: the HTTP server's shutdown() waits for one that never did for ever.
    """
    while True:
        try:
            act()
            return
        except Exception:
            _log.exception("a link met a fault of its own")
        if stop_event.wait(REOPEN_AFTER_S):
            return


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
