"""Connections of units: TLS, and a bound on how many, how many of one unit, and for how long.

Beyond the bound nobody is turned away: who comes later waits in the system's queue, in order, which
is what smooths a storm of terminals.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections import Counter
from collections.abc import Callable
from typing import Any

_log = logging.getLogger(__name__)

HANDSHAKES = 64  # at the same time
HANDSHAKE_S = 20.0
LONGEST_S = 900.0  # of one connection: a whole batch at 5 kB/s
OF_ONE_UNIT = 4
BACKLOG = 4096
_ESTABLISHED = 1  # TCP_ESTABLISHED of linux/tcp.h
_PAUSE_S = 0.05  # after an accept that failed, for want of a file descriptor say


class Gate:
    """make_protocol: of one connection, as asyncio wants it.  of_one: how many of one unit."""

    def __init__(
        self,
        make_protocol: Callable[[], asyncio.Protocol],
        context: ssl.SSLContext,
        most: int,
        counted: Callable[[int], object] = lambda open_connections: None,
        of_one: int = OF_ONE_UNIT,
    ):
        self._make_protocol = make_protocol
        self._context = context
        self._places = asyncio.Semaphore(most)
        self._handshakes = asyncio.Semaphore(HANDSHAKES)
        self._counted = counted
        self._of_one = of_one
        self._open = 0
        self._units: Counter[str] = Counter()
        self._transports: set[asyncio.Transport] = set()
        self._openings: set[asyncio.Task[None]] = set()
        self._accepting: asyncio.Task[None] | None = None
        self._listening: socket.socket | None = None

    def listen(self, host: str, port: int) -> tuple[str, int]:
        """The address it listens on; port 0 takes a free one.  Raises OSError."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listening = socket.create_server((host, port), family=family, backlog=BACKLOG)
        self._listening.setblocking(False)
        self._accepting = asyncio.create_task(self._accept(self._listening))
        name = self._listening.getsockname()
        return str(name[0]), int(name[1])

    async def close(self) -> None:
        """No new connection; those that are open stay until their protocol ends them."""
        if self._accepting is not None:
            self._accepting.cancel()
            await asyncio.gather(self._accepting, return_exceptions=True)
        if self._listening is not None:
            self._listening.close()
        for opening in list(self._openings):
            opening.cancel()
        await asyncio.gather(*self._openings, return_exceptions=True)

    def abort(self) -> None:
        for transport in list(self._transports):
            transport.abort()

    async def _accept(self, listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._places.acquire()
            await self._handshakes.acquire()
            try:
                connection, _ = await loop.sock_accept(listening)
            except OSError as error:
                self._places.release()
                self._handshakes.release()
                _log.warning("accept: %s", error)
                await asyncio.sleep(_PAUSE_S)
                continue
            if not _is_there(connection):  # it gave up in the queue: no handshake for it
                connection.close()
                self._places.release()
                self._handshakes.release()
                continue
            opening = asyncio.create_task(self._open_one(connection))
            self._openings.add(opening)
            opening.add_done_callback(self._openings.discard)

    async def _open_one(self, connection: socket.socket) -> None:
        """The handshake; the place is given back when the connection is lost."""
        loop = asyncio.get_running_loop()
        passage = _Passage(self._make_protocol(), self._lost)
        try:
            transport, _ = await loop.connect_accepted_socket(
                lambda: passage,
                connection,
                ssl=self._context,
                ssl_handshake_timeout=HANDSHAKE_S,
                ssl_shutdown_timeout=1.0,
            )
        except (OSError, asyncio.CancelledError) as error:
            if not passage.is_open:
                self._places.release()
            connection.close()
            _log.info("handshake: %s", error)
            return
        finally:
            self._handshakes.release()
        self._enter(passage, transport)

    def _enter(self, passage: _Passage, transport: asyncio.Transport) -> None:
        self._open += 1
        self._counted(self._open)
        self._transports.add(transport)
        certificate = transport.get_extra_info("peercert") or {}
        passage.unit = str(certificate.get("subject"))
        self._units[passage.unit] += 1
        passage.entered = transport
        if self._units[passage.unit] > self._of_one or passage.is_lost:
            transport.abort()
        if passage.is_lost:
            self._leave(passage)
        passage.ends = asyncio.get_running_loop().call_later(LONGEST_S, transport.abort)

    def _lost(self, passage: _Passage) -> None:
        self._places.release()
        if passage.entered is not None:
            self._leave(passage)

    def _leave(self, passage: _Passage) -> None:
        self._open -= 1
        self._counted(self._open)
        if passage.entered is not None:
            self._transports.discard(passage.entered)
        self._units[passage.unit] -= 1
        if not self._units[passage.unit]:
            del self._units[passage.unit]
        if passage.ends is not None:
            passage.ends.cancel()


def _is_there(connection: socket.socket) -> bool:
    """The peer has not closed its side yet (tcp(7), TCP_INFO: the state is its first byte)."""
    try:
        return connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] == _ESTABLISHED
    except OSError:
        return False


class _Passage(asyncio.Protocol):
    """Hands everything to the protocol behind it, and tells when the connection is lost."""

    def __init__(self, inner: asyncio.Protocol, lost: Callable[[_Passage], None]):
        self._inner = inner
        self._tell_lost = lost
        self.is_open = False
        self.is_lost = False
        self.unit = ""
        self.entered: asyncio.Transport | None = None
        self.ends: asyncio.TimerHandle | None = None
        self.data_received = inner.data_received  # type: ignore[method-assign]
        self.pause_writing = inner.pause_writing  # type: ignore[method-assign]
        self.resume_writing = inner.resume_writing  # type: ignore[method-assign]

    def connection_made(self, transport: Any) -> None:
        self.is_open = True
        self._inner.connection_made(transport)

    def eof_received(self) -> bool | None:
        return self._inner.eof_received()

    def connection_lost(self, error: Exception | None) -> None:
        self.is_lost = True
        self._inner.connection_lost(error)
        self._tell_lost(self)
