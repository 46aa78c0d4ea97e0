"""The unit's HTTP server, for an office that pulls: in the clear on loopback only, where anyone who
reaches it may read sealed batches; elsewhere with mutual TLS 1.3, for the office alone.

    GET /v1/unit                    {"unit", "oldest", "newest", "damaged_frames"}
    GET /v1/batches?after=N         {"batch": null} or {"batch", "size", "sha256"}
    GET /v1/batches/N               the file; `Range: bytes=A-B` or `bytes=A-` (RFC 9110 14)
    PUT /v1/batches/N/receipt       204
    PUT /v1/down/WHAT               204

Errors are 4xx and 5xx with {"error": text}.  Bodies need a Content-Length; sizes, time and the
number of connections are bounded.
"""

from __future__ import annotations

import ipaddress
import json
import logging
import re
import socket
import ssl
import threading
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from firmware.uplink import tls
from firmware.uplink.frame import MAX_DOWN, MAX_RECEIPT
from firmware.uplink.spool import MAX_READ, NoSuchBatch, OutOfBounds, Spool, check_down

_log = logging.getLogger(__name__)

_MAX_CONNECTIONS = 4
_TIMEOUT_S = 10.0  # of one wait on a connection
_RANGE = re.compile(r"bytes=(\d{1,18})-(\d{0,18})", re.ASCII)


class Refused(Exception):
    """An answer other than success: status and text."""

    def __init__(self, status: HTTPStatus, text: str):
        super().__init__(text)
        self.status = status


def listen_address(text: str, has_tls: bool = False) -> tuple[str, int]:
    """'127.0.0.1:8470' or '[::1]:8470' -> host and port.

    ValueError unless it is loopback, or has TLS.
    """
    host, colon, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not colon or not port.isdecimal() or int(port) > 0xFFFF:
        raise ValueError(f"{text!r} is no address: write 127.0.0.1:PORT")
    try:
        is_loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        raise ValueError(f"{host!r} is no IP address: write 127.0.0.1:PORT") from None
    if not is_loopback and not has_tls:
        raise ValueError(f"{host} is not loopback, and there is no TLS: use 127.0.0.1 or TLS")
    return host, int(port)


class UplinkServer(ThreadingHTTPServer):
    """`listen`: see listen_address; port 0 takes a free one.  serve_forever() until shutdown().

    tls_context: makes the context of one connection, so that a renewed certificate needs no
    restart; None: no TLS.
    """

    daemon_threads = True

    def __init__(
        self,
        unit: str,
        spool: Spool,
        listen: str,
        damaged_frames: Callable[[], int] = lambda: 0,
        tls_context: Callable[[], ssl.SSLContext] | None = None,
    ):
        host, port = listen_address(listen, tls_context is not None)
        if ":" in host:
            self.address_family = socket.AF_INET6
        self.unit = unit
        self.spool = spool
        self.damaged_frames = damaged_frames
        self._tls_context = tls_context
        self._free = threading.BoundedSemaphore(_MAX_CONNECTIONS)
        super().__init__((host, port), _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """One thread a connection, at most _MAX_CONNECTIONS; more are closed at once."""
        if not self._free.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            secured = self._secured(request)
            if secured is not None:
                super().process_request_thread(secured, client_address)
        finally:
            self._free.release()

    def _secured(self, request: socket.socket) -> socket.socket | None:
        """The connection under TLS with the office at its other end; None: closed."""
        if self._tls_context is None:
            return request
        request.settimeout(_TIMEOUT_S)
        try:
            secured = self._tls_context().wrap_socket(request, server_side=True)
            if tls.is_of_office(secured.getpeercert()):
                return secured
            _log.warning("a client with a certificate that is not the office's was closed")
            self.shutdown_request(secured)
        except (tls.TlsFilesError, OSError) as error:
            _log.warning("https: %s", error)
            self.shutdown_request(request)
        return None

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no event."""


class _Handler(BaseHTTPRequestHandler):
    server: UplinkServer
    protocol_version = "HTTP/1.1"
    timeout = _TIMEOUT_S
    server_version = "sscterm"
    sys_version = ""

    def do_GET(self) -> None:
        self._run("GET")

    def do_PUT(self) -> None:
        self._run("PUT")

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: a request is no event, and its line comes from outside."""

    def _run(self, method: str) -> None:
        """Find the route and turn what it raises into a status."""
        url = urlsplit(self.path)
        try:
            for route_method, pattern, act in _ROUTES:
                match = re.fullmatch(pattern, url.path, re.ASCII)
                if match and route_method == method:
                    return act(self, *match.groups())
            raise Refused(HTTPStatus.NOT_FOUND, "no such path")
        except Refused as error:
            self._refuse(error.status, str(error))
        except NoSuchBatch as error:
            self._refuse(HTTPStatus.NOT_FOUND, f"not here: {error}")
        except OutOfBounds as error:
            self._refuse(HTTPStatus.BAD_REQUEST, str(error))
        except (ConnectionError, TimeoutError):
            self.close_connection = True
        except OSError as error:
            self._refuse(HTTPStatus.INSUFFICIENT_STORAGE, error.strerror or "storage failed")

    def _get_unit(self) -> None:
        pending = self.server.spool.pending()
        oldest, newest = (pending[0], pending[-1]) if pending else (None, None)
        self._send_json(
            {
                "unit": self.server.unit,
                "oldest": oldest,
                "newest": newest,
                "damaged_frames": self.server.damaged_frames(),
            }
        )

    def _get_next(self) -> None:
        query = parse_qs(urlsplit(self.path).query)
        after = query.get("after", ["0"])[-1]
        if not re.fullmatch(r"\d{1,18}", after, re.ASCII):
            raise Refused(HTTPStatus.BAD_REQUEST, "after is a batch number")
        batch = self.server.spool.next_after(int(after))
        if batch is None:
            self._send_json({"batch": None})
        else:
            self._send_json(
                {"batch": batch.number, "size": batch.size, "sha256": batch.digest.hex()}
            )

    def _get_batch(self, number_text: str) -> None:
        number = int(number_text)
        batch = self.server.spool.describe(number)
        first, last = self._range(batch.size)
        partial = "Range" in self.headers
        self.send_response(HTTPStatus.PARTIAL_CONTENT if partial else HTTPStatus.OK)
        if partial:
            self.send_header("Content-Range", f"bytes {first}-{last}/{batch.size}")
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("ETag", f'"{batch.digest.hex()}"')
        self.send_header("Content-Type", "application/cbor")
        self.send_header("Content-Length", str(last + 1 - first))
        self.end_headers()
        while first <= last:
            piece = self.server.spool.read(number, first, min(MAX_READ, last + 1 - first))
            if not piece:
                raise ConnectionError("the file became shorter")
            self.wfile.write(piece)
            first += len(piece)

    def _range(self, size: int) -> tuple[int, int]:
        """First and last byte asked for; the whole file without a Range."""
        text = self.headers.get("Range")
        if text is None:
            return 0, size - 1
        match = _RANGE.fullmatch(text)
        if not match:
            raise Refused(
                HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, "a Range is bytes=A-B or bytes=A-"
            )
        first = int(match[1])
        last = min(int(match[2]) if match[2] else size - 1, size - 1)
        if first > last:
            raise Refused(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, f"the file has {size} bytes")
        return first, last

    def _put_receipt(self, number_text: str) -> None:
        self.server.spool.put_receipt(int(number_text), self._body(MAX_RECEIPT))
        self._send(HTTPStatus.NO_CONTENT, b"")

    def _put_down(self, what: str) -> None:
        check_down(what, 1)
        self.server.spool.put_down(what, self._body(MAX_DOWN))
        self._send(HTTPStatus.NO_CONTENT, b"")

    def _body(self, limit: int) -> bytes:
        """The whole body; a body that does not come whole is none."""
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal():
            raise Refused(HTTPStatus.LENGTH_REQUIRED, "a Content-Length is needed")
        if not 0 < int(length) <= limit:
            raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"1 to {limit} bytes")
        body = self.rfile.read(int(length))
        if len(body) != int(length):
            raise ConnectionError("the body ended early")
        return body

    def _send_json(self, answer: dict[str, Any]) -> None:
        self._send(HTTPStatus.OK, json.dumps(answer).encode())

    def _refuse(self, status: HTTPStatus, text: str) -> None:
        self.close_connection = True  # a body may be unread
        self._send(status, json.dumps({"error": text}).encode())

    def _send(self, status: HTTPStatus, body: bytes) -> None:
        self.send_response(status)
        if body:
            self.send_header("Content-Type", "application/json")
        if status != HTTPStatus.NO_CONTENT:
            self.send_header("Content-Length", str(len(body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)


_ROUTES: list[tuple[str, str, Callable[..., None]]] = [
    ("GET", r"/v1/unit", _Handler._get_unit),
    ("GET", r"/v1/batches", _Handler._get_next),
    ("GET", r"/v1/batches/(\d{1,18})", _Handler._get_batch),
    ("PUT", r"/v1/batches/(\d{1,18})/receipt", _Handler._put_receipt),
    ("PUT", r"/v1/down/([a-z0-9]{1,32})", _Handler._put_down),
]
