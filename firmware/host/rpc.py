"""JSON-RPC 2.0 on the unit's AF_UNIX socket: one JSON object a line, one thread a connection.

Requests in an array (batches) are not taken.  The kernel says which user connected (SO_PEERCRED,
unix(7)): root may call every method, the terminal's own user all but those of ROOT_ONLY, others
those of the counter (outside.py).
"""

from __future__ import annotations

import contextlib
import inspect
import json
import logging
import os
import socket
import stat
import struct
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

log = logging.getLogger(__name__)

MAX_LINE = 65_536
MAX_CONNECTIONS = 16
IDLE_S = 300.0
PROBE_S = 2.0
FAREWELL_S = 1.0
"""So long a closing server lets its last answers go out."""
_RETRY_S = 0.1
_PEER = struct.Struct("=iII")  # struct ucred: pid, uid, gid

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
INTERNAL_ERROR = -32603
TOO_MANY = -32000
NOT_ALLOWED = -32006
TERMINAL_AWAY = -32007
ANSWER_LOST = -32008
"""The last two are the host process's own words (relay.py)."""

ROOT_ONLY = frozenset({"update.lease"})
"""Who may hold payments back: the unit's own update, no program of a host."""

_WHO_MAY = "only the unit's own processes may ask this, and update.lease only root's"

Method = Callable[..., dict[str, Any]]


class RpcError(Exception):
    """Answered to the caller; data says cause and next step."""

    def __init__(self, code: int, message: str, data: dict[str, Any] | None = None):
        super().__init__(message)
        self.code = code
        self.data = data


class RpcServer:
    """methods: name -> function of the request's params by name; each may raise RpcError.

    outside: names of those that other users may call; None: all.
    """

    def __init__(
        self,
        path: Path,
        mode: int,
        methods: dict[str, Method],
        outside: Iterable[str] | None = None,
    ):
        """Raises OSError when the path is taken by a live server, or by what is no socket."""
        self._path = path
        self._methods = methods
        self._barred_outside = ROOT_ONLY | (set() if outside is None else {*methods} - {*outside})
        self._talks: dict[threading.Thread, socket.socket] = {}
        self._lock = threading.Lock()
        self._is_closing = False
        path.parent.mkdir(parents=True, exist_ok=True)
        self._listener = _listen(path, mode)
        self._thread = threading.Thread(target=self._accept, name="rpc", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """No new requests; those under way are answered, for a second at most."""
        self._is_closing = True
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._path.unlink(missing_ok=True)
        with self._lock:
            talks = list(self._talks.items())
        for _, connection in talks:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RD)
        until = time.monotonic() + FAREWELL_S
        for thread, _ in talks:
            thread.join(max(0.0, until - time.monotonic()))

    def _accept(self) -> None:
        while not self._is_closing:
            try:
                connection, _ = self._listener.accept()
            except OSError as error:  # out of descriptors, or closed
                if not self._is_closing:
                    log.warning("host socket: %s", error)
                    time.sleep(_RETRY_S)
                continue
            thread = threading.Thread(target=self._talk, args=(connection,), daemon=True)
            with self._lock:
                is_full = len(self._talks) >= MAX_CONNECTIONS
                if not is_full:
                    self._talks[thread] = connection
                    thread.start()  # under the lock: close() joins only what runs
            if is_full:
                with connection, contextlib.suppress(OSError):
                    connection.settimeout(_RETRY_S)
                    connection.sendall(turned_away())

    def _talk(self, connection: socket.socket) -> None:
        try:
            with connection, connection.makefile("rb") as lines:
                barred = self._barred(_uid_of(connection))
                connection.settimeout(IDLE_S)
                while line := lines.readline(MAX_LINE + 1):
                    if len(line) > MAX_LINE:
                        long = f"a request has at most {MAX_LINE} bytes"
                        connection.sendall(line_of(error_of(None, INVALID_REQUEST, long)))
                        return
                    answer = self.answer(line, barred)
                    if answer is not None:
                        connection.sendall(line_of(answer))
        except OSError:
            return
        finally:
            with self._lock:
                del self._talks[threading.current_thread()]

    def _barred(self, uid: int) -> frozenset[str]:
        """What a process of that user may not call.  Inside a user namespace of its own, the card
        process sees all users but root and its own as one."""
        if uid == 0:
            return frozenset()
        return ROOT_ONLY if uid == os.geteuid() else self._barred_outside

    def answer(self, line: bytes, barred: frozenset[str] = ROOT_ONLY) -> dict[str, Any] | None:
        """One request -> one answer; None for a notification (a request without an id)."""
        try:
            request = read_request(line)
        except RpcError as error:
            return error_of(None, error.code, str(error))
        answer = self._call(request, barred)
        return answer if "id" in request else None

    def _call(self, request: dict[str, Any], barred: frozenset[str]) -> dict[str, Any]:
        number = request.get("id")
        if request["method"] in barred:
            return error_of(number, NOT_ALLOWED, _WHO_MAY)
        method = self._methods.get(request["method"])
        if method is None:
            return no_such_method(number, self._methods)
        params = request.get("params", {})
        if not isinstance(params, dict):
            return error_of(number, INVALID_PARAMS, "params is an object with named members")
        try:
            inspect.signature(method).bind(**params)
        except TypeError as error:
            return error_of(number, INVALID_PARAMS, str(error))
        try:
            return {"jsonrpc": "2.0", "id": number, "result": method(**params)}
        except RpcError as error:
            return error_of(number, error.code, str(error), error.data)
        except Exception:
            log.exception("method %s", request["method"])
            return error_of(number, INTERNAL_ERROR, "a fault of the terminal; see its log")


def read_request(line: bytes) -> dict[str, Any]:
    """The request in a line, its params not looked at.  Raises RpcError, whose answer has no id."""
    try:
        request = json.loads(line)
    except (ValueError, RecursionError):
        raise RpcError(PARSE_ERROR, "not JSON") from None
    if (
        not isinstance(request, dict)
        or request.get("jsonrpc") != "2.0"
        or not isinstance(request.get("method"), str)
        or type(request.get("id")) not in (str, int, type(None))
    ):
        raise RpcError(INVALID_REQUEST, "not a JSON-RPC 2.0 request")
    return request


def no_such_method(number: object, known: Iterable[str]) -> dict[str, Any]:
    names = ", ".join(sorted(known))
    return error_of(number, METHOD_NOT_FOUND, f"no such method; there are: {names}")


def turned_away() -> bytes:
    """Said to a host that is one too many, before anything it says is read."""
    return line_of(error_of(None, TOO_MANY, "too many connections"))


def line_of(answer: dict[str, Any]) -> bytes:
    return json.dumps(answer).encode("ascii") + b"\n"


def error_of(
    number: object, code: int, message: str, data: dict[str, Any] | None = None
) -> dict[str, Any]:
    error: dict[str, Any] = {"code": code, "message": message}
    if data is not None:
        error["data"] = data
    return {"jsonrpc": "2.0", "id": number, "error": error}


def _uid_of(connection: socket.socket) -> int:
    """User of the process at the other end when it connected (unix(7), SO_PEERCRED)."""
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size)
    _, uid, _ = _PEER.unpack(raw)
    return int(uid)


def _listen(path: Path, mode: int) -> socket.socket:
    """A socket file left by a dead daemon is replaced; anything else is not ours to take."""
    if path.exists():
        if not stat.S_ISSOCK(path.stat().st_mode):
            raise OSError(f"{path} is no socket: name another host.socket in board.toml")
        if _is_served(path):
            raise OSError(f"another terminal answers on {path}: stop it first")
        path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o777 & ~mode)
    try:
        listener.bind(str(path))
        listener.listen(MAX_CONNECTIONS)
    except BaseException:
        listener.close()
        raise
    finally:
        os.umask(before)
    return listener


def _is_served(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(PROBE_S)
        try:
            probe.connect(str(path))
        except (ConnectionRefusedError, FileNotFoundError):
            return False
        except TimeoutError:
            return True
    return True
