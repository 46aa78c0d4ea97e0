"""HTTPS to the office's collector: mutual TLS 1.3, one connection for what is due.

    POST /v1/batches            the batch file        200 the receipt
    GET  /v1/down               {"files": [{"what", "number", "size", "sha256"}]}
    GET  /v1/down/WHAT/SHA256   the file; `Range: bytes=A-` (RFC 9110 14)

403 {"error", "cause", "detail"}: this unit is not served.  409, 413, 422, 500: not this batch.
429, 503 with Retry-After: later.  docs/collector-openapi.json is the whole description.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import threading
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlsplit

from firmware import __version__
from firmware.uplink import tls
from firmware.uplink.frame import MAX_RECEIPT
from firmware.uplink.push import Barred, BatchRefused, DownFile, Unreachable, parse_offered
from firmware.uplink.spool import MAX_READ, SealedBatch, Spool

TIMEOUT_S = 30.0  # of one wait
LONGEST_S = 600.0  # of one request and its answer, however slowly it trickles
_MAX_JSON = 1 << 16
_REFUSES_BATCH = (
    HTTPStatus.CONFLICT,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNPROCESSABLE_ENTITY,
    HTTPStatus.INTERNAL_SERVER_ERROR,  # it may be this batch: the others shall not wait for it
)


class HttpsCollector:
    """url: https://HOST:PORT, checked by board.py.  The files of data_dir are read anew for every
    connection: a renewed certificate needs no restart."""

    def __init__(self, url: str, data_dir: Path, timeout_s: float = TIMEOUT_S):
        parts = urlsplit(url)
        self._host, self._port = str(parts.hostname), parts.port or 443
        self._data_dir = data_dir
        self._timeout_s = timeout_s
        self._connection: http.client.HTTPSConnection | None = None

    def send(self, batch: SealedBatch, content: bytes) -> bytes:
        headers = {"Content-Type": "application/cbor"}
        with self._answer("POST", "/v1/batches", content, headers) as response:
            if response.status in _REFUSES_BATCH:
                raise BatchRefused(_said(response))
            if response.status != HTTPStatus.OK:
                raise _later(response)
            receipt = _body(response, MAX_RECEIPT)
            if not receipt:
                raise Unreachable(f"the answer to batch {batch.number} is no receipt")
            return receipt

    def offered(self) -> list[DownFile]:
        with self._answer("GET", "/v1/down") as response:
            if response.status != HTTPStatus.OK:
                raise _later(response)
            try:
                return parse_offered(_body(response, _MAX_JSON))
            except ValueError:
                raise Unreachable("the list of files is not in its form") from None

    def fetch(self, file: DownFile, spool: Spool) -> None:
        held = spool.arrived(file.what, file.digest)
        if held < file.size:
            path = f"/v1/down/{file.what}/{file.digest.hex()}"
            headers = {"Range": f"bytes={held}-"}
            with self._answer("GET", path, headers=headers) as response:
                if response.status != HTTPStatus.PARTIAL_CONTENT:
                    raise _later(response)
                while held < file.size and (piece := response.read(MAX_READ)):
                    held = spool.append_down(file.what, file.digest, piece)
        if held < file.size:
            raise Unreachable(f"{file.what} ended early")
        spool.finish_down(file.what, file.digest)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    @contextlib.contextmanager
    def _answer(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> Iterator[http.client.HTTPResponse]:
        """The answer, its body still to be read; afterwards the connection serves again."""
        try:
            with self._watched() as connection:
                response = self._asked(connection, method, path, body, headers or {})
                if response.status == HTTPStatus.FORBIDDEN:
                    raise Barred(_said(response))
                yield response
                if not response.isclosed():  # something is unread
                    self.close()
        except (http.client.HTTPException, OSError) as error:
            self.close()
            raise Unreachable(f"https://{self._host}:{self._port}: {error!s:.200}") from None
        except BaseException:
            self.close()
            raise

    def _asked(
        self,
        connection: http.client.HTTPSConnection,
        method: str,
        path: str,
        body: bytes | None,
        headers: dict[str, str],
    ) -> http.client.HTTPResponse:
        connection.request(method, path, body, {"User-Agent": f"sscterm/{__version__}"} | headers)
        return connection.getresponse()

    @contextlib.contextmanager
    def _watched(self) -> Iterator[http.client.HTTPSConnection]:
        """The open connection; after LONGEST_S it is shut, whatever it waits for."""
        if self._connection is None:
            try:
                context = tls.client_context(self._data_dir)
            except tls.TlsFilesError as error:
                raise Unreachable(str(error)) from None
            self._connection = http.client.HTTPSConnection(
                self._host, self._port, timeout=self._timeout_s, context=context
            )
            self._connection.connect()
        opened = self._connection.sock
        watch = threading.Timer(LONGEST_S, _shut, (opened,))
        watch.daemon = True
        watch.start()
        try:
            yield self._connection
        finally:
            watch.cancel()


def _shut(opened: socket.socket) -> None:
    with contextlib.suppress(OSError):
        opened.shutdown(socket.SHUT_RDWR)


def _body(response: http.client.HTTPResponse, limit: int) -> bytes:
    """The whole body.  Raises HTTPException when it ended early or has more than `limit` bytes."""
    body = response.read(limit + 1)
    if response.length or len(body) > limit:
        raise http.client.IncompleteRead(body[:0], response.length)
    return body


def _said(response: http.client.HTTPResponse) -> str:
    """The office's number and cause, for the log."""
    try:
        told = json.loads(response.read(_MAX_JSON))
        return f"{told['error']} {told['cause']}: {told['detail']}"[:300]
    except (ValueError, RecursionError, KeyError, TypeError):
        return f"status {response.status}"


def _later(response: http.client.HTTPResponse) -> Unreachable:
    after = response.getheader("Retry-After", "")
    retry_after_s = float(after) if after.isascii() and after.isdecimal() and len(after) < 9 else 0
    return Unreachable(f"the office answered {_said(response)}", retry_after_s)
