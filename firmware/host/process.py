"""The host process: hosts on the network and on a serial line reach the card process's socket.

It has no reader, no journal and no key but that of its TLS.  Every listener of the board serves at
the same time, and each host in a thread of its own.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable

from firmware.board import Board
from firmware.host.lan import LanServer
from firmware.host.lines import Idle, Lines, LineTooLong, LineTooSlow, Link
from firmware.host.outside import OUTSIDE
from firmware.host.pace import Pace
from firmware.host.patience import patience_s
from firmware.host.relay import Relay
from firmware.host.rpc import IDLE_S, INVALID_REQUEST, MAX_LINE, error_of, line_of
from firmware.outcome import TransportError
from firmware.supervise import Supervisor

_log = logging.getLogger(__name__)

LOOK_S = 2.0
REOPEN_AFTER_S = 2.0  # a USB serial line comes back after its cable
LINE_S = 10.0
"""A request of the network, from its first byte to its last."""
ANSWER_MARGIN_S = 5.0
"""So much longer than the card process's own patience."""
_BITS = 10  # of a byte on a serial line
_PIECE = 480  # bytes: half a second at 9600 baud


def run(
    board: Board,
    open_uart: Callable[[], Link] | None,
    stop: threading.Event,
    supervisor: Supervisor | None = None,
) -> None:
    """Serve until `stop`; at once over when the board names no listener.

    open_uart: opens the serial line, called again when the line was gone.
    """
    supervisor = supervisor or Supervisor()
    answer_s = patience_s(board.timing, board.purchase) + ANSWER_MARGIN_S
    desk = Talks(Relay(board.host.socket, OUTSIDE, answer_s), stop)
    lan = None if board.host.lan is None else LanServer(board.host.lan, desk.of_network)
    acts: list[Callable[[], None]] = [] if lan is None else [lan.run]
    if board.host.serial is not None and open_uart is not None:
        baud, opened = board.host.serial.baud, open_uart
        acts.append(lambda: desk.of_line(opened, baud))
    if not acts:
        _log.info("board.toml names neither [host.lan] nor [host.serial]: nothing to do")
    for act in acts:  # daemons: a line that hangs does not keep the process
        threading.Thread(target=_keep, args=(act, stop), daemon=True).start()
    supervisor.ready()
    while acts and not stop.is_set():
        supervisor.beat()
        stop.wait(LOOK_S)
    supervisor.stopping()
    if lan is not None:
        lan.close()


def _keep(act: Callable[[], None], stop: threading.Event) -> None:
    """A listener that meets a fault nobody foresaw begins again, and the other never notices."""
    while not stop.is_set():
        try:
            act()
            return
        except Exception:
            _log.exception("a listener met a fault of its own")
        stop.wait(REOPEN_AFTER_S)


class Talks:
    """What is said on each link, in turn: a line comes, its answer goes."""

    def __init__(self, relay: Relay, stop: threading.Event):
        self._relay = relay
        self._stop = stop

    def of_network(self, link: Link) -> None:
        """Until the host is gone, says nothing for IDLE_S, or breaks the bounds of a line."""
        lines, pace = Lines(link, MAX_LINE, LINE_S, IDLE_S), Pace()
        with contextlib.suppress(TransportError, Idle, LineTooSlow):
            try:
                while (line := lines.next(self._stop.is_set)) is not None:
                    self._serve(line, link, pace)
            except LineTooLong:
                link.write(_TOO_LONG)

    def of_line(self, open_uart: Callable[[], Link], baud: int) -> None:
        """Keep the line open: what fails is logged once a change and tried again."""
        complaint = None
        while not self._stop.is_set():
            try:
                link = open_uart()
                complaint = None
                try:
                    self._talk_on_line(_InPieces(link), baud)
                finally:
                    link.close()
            except (TransportError, OSError) as error:
                if str(error) != complaint:
                    complaint = str(error)
                    _log.warning("serial line: %s", complaint)
                self._stop.wait(REOPEN_AFTER_S)

    def _talk_on_line(self, link: Link, baud: int) -> None:
        """A line is never closed: what is out of bounds is passed over, the next one is served."""
        line_s = LINE_S + MAX_LINE * _BITS / baud
        lines, pace = Lines(link, MAX_LINE, line_s, None), Pace()
        while not self._stop.is_set():
            try:
                line = lines.next(self._stop.is_set)
                if line is not None:
                    self._serve(line, link, pace)
            except LineTooLong:
                link.write(_TOO_LONG)
            except LineTooSlow:
                _log.info("serial line: a request did not end in %g s", line_s)

    def _serve(self, line: bytes, link: Link, pace: Pace) -> None:
        """A host that asks faster than the pace is not refused: it waits."""
        self._stop.wait(pace.wait_s(time.monotonic()))
        answer = self._relay.answer(line)
        if answer is not None:
            link.write(answer)


class _InPieces:
    """A serial line whose write has a deadline: a long answer takes it piece by piece."""

    def __init__(self, link: Link):
        self._link = link
        self.read = link.read
        self.close = link.close

    def write(self, data: bytes) -> None:
        for at in range(0, len(data), _PIECE):
            self._link.write(data[at : at + _PIECE])


_TOO_LONG = line_of(error_of(None, INVALID_REQUEST, f"a request has at most {MAX_LINE} bytes"))
