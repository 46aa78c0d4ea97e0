"""JSON-RPC 2.0 on the unit's AF_UNIX socket: one JSON object a line, one thread a connection."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

log = logging.getLogger(__name__)

MAX_LINE = 65_536
MAX_CONNECTIONS = 16
IDLE_S = 300.0

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
INTERNAL_ERROR = -32603

Method = Callable[..., dict[str, Any]]


class RpcError(Exception):
    """Answered to the caller; data says cause and next step."""

    def __init__(self, code: int, message: str, data: dict[str, Any] | None = None):
        super().__init__(message)
        self.code = code
        self.data = data


class RpcServer:
    """methods: name -> function of the request's params; each may raise RpcError or ValueError."""

    def __init__(self, path: Path, mode: int, methods: dict[str, Method]):
        self._path = path
        self._methods = methods
        self._places = threading.BoundedSemaphore(MAX_CONNECTIONS)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._listener = _listen(path, mode)
        self._thread = threading.Thread(target=self._accept, name="rpc", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._path.unlink(missing_ok=True)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            if not self._places.acquire(blocking=False):
                connection.close()
                continue
            threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection: socket.socket) -> None:
        connection.settimeout(IDLE_S)
        try:
            with connection, connection.makefile("rb") as lines:
                while line := lines.readline(MAX_LINE + 1):
                    if len(line) > MAX_LINE:
                        return
                    answer = self.answer(line)
                    if answer is not None:
                        connection.sendall(json.dumps(answer, ensure_ascii=False).encode() + b"\n")
        except OSError:
            return
        finally:
            self._places.release()

    def answer(self, line: bytes) -> dict[str, Any] | None:
        """One request -> one answer; None for a notification (a request without an id)."""
        try:
            request = json.loads(line)
        except ValueError:
            return _error(None, PARSE_ERROR, "not JSON")
        if (
            not isinstance(request, dict)
            or request.get("jsonrpc") != "2.0"
            or not isinstance(request.get("method"), str)
            or not isinstance(request.get("id"), (str, int, type(None)))
        ):
            return _error(None, INVALID_REQUEST, "not a JSON-RPC 2.0 request")
        answer = self._call(request)
        return answer if "id" in request else None

    def _call(self, request: dict[str, Any]) -> dict[str, Any]:
        number = request.get("id")
        method = self._methods.get(request["method"])
        if method is None:
            known = ", ".join(sorted(self._methods))
            return _error(number, METHOD_NOT_FOUND, f"no such method; there are: {known}")
        params = request.get("params", {})
        if not isinstance(params, dict):
            return _error(number, INVALID_PARAMS, "params is an object with named members")
        try:
            return {"jsonrpc": "2.0", "id": number, "result": method(**params)}
        except RpcError as error:
            return _error(number, error.code, str(error), error.data)
        except (TypeError, ValueError) as error:
            return _error(number, INVALID_PARAMS, str(error))
        except Exception:
            log.exception("method %s", request["method"])
            return _error(number, INTERNAL_ERROR, "a fault of the terminal; see its log")


def _error(
    number: object, code: int, message: str, data: dict[str, Any] | None = None
) -> dict[str, Any]:
    error: dict[str, Any] = {"code": code, "message": message}
    if data is not None:
        error["data"] = data
    return {"jsonrpc": "2.0", "id": number, "error": error}


def _listen(path: Path, mode: int) -> socket.socket:
    """A socket file left by a dead daemon is replaced; one that answers is not ours to take."""
    if path.exists():
        with socket.socket(socket.AF_UNIX) as probe:
            try:
                probe.connect(str(path))
            except OSError:
                path.unlink()
            else:
                raise OSError(f"another terminal answers on {path}: stop it first")
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o777 & ~mode)
    try:
        listener.bind(str(path))
    finally:
        os.umask(before)
    listener.listen(MAX_CONNECTIONS)
    return listener
