"""Hosts over the network: with TLS and their own certificate; in the clear on loopback only."""

from __future__ import annotations

import contextlib
import logging
import socket
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable

from firmware.board_host import Lan
from firmware.display.messages import message
from firmware.host.lines import Link
from firmware.host.rpc import turned_away
from firmware.host.tls import TlsFilesError, names_in, server_context
from firmware.outcome import TransportError, outcome

_log = logging.getLogger(__name__)

MAX_CONNECTIONS = 12
"""The card process takes 16: with the serial line's one, three are left to programs on the unit."""
MAX_OF_ONE = 6
"""From one address: a host that has lost its wits leaves room for others."""
HANDSHAKE_S = 10.0
WRITE_S = 10.0
RETRY_S = 2.0
QUIET_S = 10.0
"""At most one line of the log in so long for what strangers do."""
NOT_LISTED_S = 60.0
"""And for a host of the authority that is not on the list: somebody is to mend that."""
_FAREWELL_S = 0.1
_MOST_SHOWN = 100  # letters of a host's names
_PIECE = 16_384


class NotListedError(Exception):
    """The authority vouches for this host, and the board's list has none of its names."""


class _Seldom:
    """At most one line of the log in `seconds`; used by several threads."""

    def __init__(self, seconds: float):
        self._seconds = seconds
        self._lock = threading.Lock()
        self._quiet_until_s = 0.0

    def warn(self, what: str) -> None:
        now = time.monotonic()
        with self._lock:
            if now < self._quiet_until_s:
                return
            self._quiet_until_s = now + self._seconds
        _log.warning("%s", what)


class Connection:
    """A Link over a socket; read and written by one thread."""

    def __init__(self, connection: socket.socket):
        self._connection = connection

    def read(self, maximum: int, timeout_s: float) -> bytes:
        try:
            self._connection.settimeout(timeout_s)
            found = self._connection.recv(maximum)
        except TimeoutError:
            return b""
        except OSError as error:
            raise TransportError(f"the host's connection failed: {error}", "removed") from None
        if not found:
            raise TransportError("the host closed its connection", "removed")
        return found

    def write(self, data: bytes) -> None:
        """In WRITE_S, however small the pieces are that the host takes."""
        until = time.monotonic() + WRITE_S
        left = memoryview(data)
        try:
            while left:
                self._connection.settimeout(max(0.001, until - time.monotonic()))
                left = left[self._connection.send(left[:_PIECE]) :]
                if left and time.monotonic() > until:
                    raise TimeoutError("it does not read")
        except OSError as error:
            raise TransportError(f"the host takes no answer: {error}", "silent") from None

    def close(self) -> None:
        self._connection.close()


class LanServer:
    """run() until close(); `talk` has each connection in a thread of its own."""

    def __init__(self, settings: Lan, talk: Callable[[Link], None]):
        self._settings = settings
        self._talk = talk
        self._lock = threading.Lock()
        self._open: Counter[str] = Counter()
        self._listener: socket.socket | None = None
        self._ended = threading.Event()
        self._complaint = ""
        self._strangers, self._not_listed = _Seldom(QUIET_S), _Seldom(NOT_LISTED_S)

    def run(self) -> None:
        """An address that is not there yet, or is taken, is tried again and again."""
        while not self._ended.is_set():
            try:
                with self._listen() as listener:
                    self._accept(listener)
            except OSError as error:
                if self._ended.is_set():
                    return
                self._complain(f"{self._settings.listen}: {error}")
            self._ended.wait(RETRY_S)

    def close(self) -> None:
        """No new host; those that are connected go with the process."""
        self._ended.set()
        with self._lock:
            if self._listener is not None:
                with contextlib.suppress(OSError):
                    self._listener.shutdown(socket.SHUT_RDWR)

    def _listen(self) -> socket.socket:
        host, port = self._settings.host, self._settings.port
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.create_server((host, port), family=family, backlog=MAX_CONNECTIONS)
        with self._lock:
            self._listener = listener
        if self._ended.is_set():  # close() has not seen this one
            listener.close()
        else:
            _log.info("hosts at %s%s", self._settings.listen, self._in_the_clear())
        return listener

    def _in_the_clear(self) -> str:
        return "" if self._settings.has_tls else ", in the clear"

    def _accept(self, listener: socket.socket) -> None:
        while not self._ended.is_set():
            connection, (address, *_) = listener.accept()
            if not self._is_let_in(address):
                self._turn_away(connection)
                continue
            self._complaint = ""
            thread = threading.Thread(target=self._serve, args=(connection, address), daemon=True)
            try:
                thread.start()
            except RuntimeError:  # no memory for one more
                connection.close()
                self._forget(address)

    def _is_let_in(self, address: str) -> bool:
        with self._lock:
            if self._open.total() >= MAX_CONNECTIONS or self._open[address] >= MAX_OF_ONE:
                return False
            self._open[address] += 1
            return True

    def _forget(self, address: str) -> None:
        with self._lock:
            self._open[address] -= 1
            if not self._open[address]:
                del self._open[address]

    def _turn_away(self, connection: socket.socket) -> None:
        """Under TLS without a word: that would take a handshake."""
        with connection, contextlib.suppress(OSError):
            if not self._settings.has_tls:
                connection.settimeout(_FAREWELL_S)
                connection.sendall(turned_away())

    def _serve(self, connection: socket.socket, address: str) -> None:
        try:
            connection.settimeout(HANDSHAKE_S)
            with self._secured(connection) as secured:
                self._talk(Connection(secured))
        except ssl.SSLEOFError:
            pass  # it connected and left
        except NotListedError as error:
            self._not_listed.warn(f"{_said('HOST_NOT_LISTED')} ({address}: {error})")
        except (TlsFilesError, ssl.SSLError) as error:
            self._strangers.warn(f"{address}: {error}")
        except OSError:
            pass  # it went away
        finally:
            connection.close()
            self._forget(address)

    def _secured(self, connection: socket.socket) -> socket.socket:
        """Under TLS with a host that we know; the files are read for each, so a renewed certificate
        needs no restart.  Raises TlsFilesError, NotListedError, OSError."""
        at = self._settings
        if at.certificate is None or at.key is None or at.ca is None:
            return connection
        context = server_context(at.certificate, at.key, at.ca)
        secured = context.wrap_socket(connection, server_side=True)
        names = names_in(secured.getpeercert())
        if at.hosts is not None and names.isdisjoint(at.hosts):
            _close_plainly(secured)
            shown = ", ".join(sorted(names)) or "without a name"
            raise NotListedError(repr(shown[:_MOST_SHOWN]))
        return secured

    def _complain(self, what: str) -> None:
        """Once, until it is another or all is well."""
        if what != self._complaint:
            self._complaint = what
            _log.warning("%s: tried again every %g s", what, RETRY_S)


def _close_plainly(secured: ssl.SSLSocket) -> None:
    """The host is told that nothing more comes (RFC 8446 6.1), so it does not see a broken line."""
    with secured, contextlib.suppress(OSError):
        secured.settimeout(_FAREWELL_S)
        secured.unwrap()


def _said(name: str) -> str:
    """Number, cause and next step of an outcome, for the log."""
    result = outcome(name)
    text = message(name)
    return f"{result.number} {name}: {text.en} {text.en_next}"
