"""The office's end of a unit's HTTP server (paths: firmware/uplink/http.py)."""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from office.errors import LinkError
from office.link import Offer, Progress, UnitInfo

TIMEOUT_S = 10.0
ATTEMPTS = 3
_MAX_JSON = 1 << 16
_CHUNK = 1 << 16


class HttpLink:
    """One connection a question; a question is repeated when the connection breaks.

    tls: for https:// the context, and the unit's name as its certificate must show it: the address
    of a unit on a LAN says nothing about who it is.
    """

    def __init__(
        self,
        url: str,
        *,
        tls: tuple[ssl.SSLContext, str] | None = None,
        timeout_s: float = TIMEOUT_S,
        attempts: int = ATTEMPTS,
    ):
        parts = urlsplit(url)
        scheme = "http" if tls is None else "https"
        if parts.scheme != scheme or not parts.hostname or parts.path.strip("/"):
            raise LinkError(706, f"{url!r} is not {scheme}://HOST:PORT")
        self._url = url
        self._tls = tls
        self._host, self._port = parts.hostname, parts.port or (80 if tls is None else 443)
        self._timeout_s = timeout_s
        self._attempts = attempts

    def hello(self) -> UnitInfo:
        match self._json("/v1/unit"):
            case {
                "unit": str(unit),
                "oldest": int() | None as oldest,
                "newest": int() | None as newest,
                "damaged_frames": int(damaged),
            }:
                return UnitInfo(unit, oldest, newest, damaged)
            case other:
                raise _odd(other)

    def next_after(self, after: int) -> Offer | None:
        match self._json(f"/v1/batches?after={after}"):
            case {"batch": None}:
                return None
            case {"batch": int(batch), "size": int(size), "sha256": str(digest_hex)} if (
                batch > after and size >= 0 and _is_sha256(digest_hex)
            ):
                return Offer(batch, size, bytes.fromhex(digest_hex))
            case other:
                raise _odd(other)

    def read_all(self, batch: int, offset: int, size: int) -> Iterator[bytes]:
        while offset < size:
            chunk = self._read(batch, offset, min(_CHUNK, size - offset))
            yield chunk
            offset += len(chunk)

    def _read(self, batch: int, offset: int, length: int) -> bytes:
        wanted = {"Range": f"bytes={offset}-{offset + length - 1}"}
        status, body = self._request("GET", f"/v1/batches/{batch}", None, wanted, length)
        if status != HTTPStatus.PARTIAL_CONTENT or not 0 < len(body) <= length:
            raise _refusal(status, body)
        return body

    def put_receipt(self, batch: int, receipt: bytes) -> bool:
        status, body = self._request("PUT", f"/v1/batches/{batch}/receipt", receipt)
        if status not in (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_FOUND):
            raise _refusal(status, body)
        return status == HTTPStatus.NO_CONTENT

    def put_down(self, what: str, content: bytes, progress: Progress) -> None:
        status, body = self._request("PUT", f"/v1/down/{what}", content)
        if status != HTTPStatus.NO_CONTENT:
            raise _refusal(status, body)
        progress(len(content), len(content))

    def close(self) -> None:
        """Nothing stays open between two questions."""

    def _json(self, path: str) -> Any:
        status, body = self._request("GET", path)
        if status != HTTPStatus.OK:
            raise _refusal(status, body)
        try:
            return json.loads(body)
        except (ValueError, RecursionError):
            raise _odd(body) from None

    def _request(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
        limit: int = _MAX_JSON,
    ) -> tuple[int, bytes]:
        """Status and body.  Every request of this interface may be repeated."""
        failure: Exception | None = None
        for _ in range(self._attempts):
            connection = http.client.HTTPConnection(self._host, self._port, timeout=self._timeout_s)
            try:
                self._connect(connection)
                connection.request(method, path, body=body, headers=headers or {})
                response = connection.getresponse()
                content = response.read(max(limit, _MAX_JSON) + 1)
                if len(content) > max(limit, _MAX_JSON):
                    raise _odd(content)
                if response.length:  # what is still to come never came
                    raise http.client.IncompleteRead(content, response.length)
                return response.status, content
            except (http.client.HTTPException, OSError) as error:
                failure = error
            finally:
                connection.close()
        raise LinkError(702, f"{self._url}: {failure!r:.200}")

    def _connect(self, connection: http.client.HTTPConnection) -> None:
        connection.connect()
        if self._tls is not None:
            context, name = self._tls
            connection.sock = context.wrap_socket(connection.sock, server_hostname=name)


def _is_sha256(text: str) -> bool:
    return len(text) == 64 and all(each in "0123456789abcdef" for each in text)


def _refusal(status: int, body: bytes) -> LinkError:
    return LinkError(703, f"{status} {body[:80]!r}")


def _odd(answer: object) -> LinkError:
    return LinkError(706, f"{answer!r:.80}")
