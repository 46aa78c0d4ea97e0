"""One request of a host outside the unit -> the card process's socket -> its answer.

Nothing is interpreted but what the frame says and the method's name.  What goes on is what was
checked, written anew: two readers cannot read one line in two ways.  A payment runs to its end
whether its host, or this process, is still there or not; asked again with the same order number,
the card process tells its result.
"""

from __future__ import annotations

import contextlib
import json
import logging
import socket
import time
from collections.abc import Collection
from pathlib import Path
from typing import Any

from firmware.host.rpc import (
    ANSWER_LOST,
    INVALID_REQUEST,
    MAX_LINE,
    TERMINAL_AWAY,
    RpcError,
    error_of,
    line_of,
    no_such_method,
    read_request,
    turned_away,
)
from firmware.host.texts import with_texts
from firmware.outcome import outcome

_log = logging.getLogger(__name__)

MAX_ANSWER = 2 << 20
"""Bytes.  The longest, a whole card, has some tens of thousands."""
CONNECT_S = 2.0
_TOLD = ("result", "error")
_PIECE = 65_536


class Relay:
    def __init__(self, card_socket: Path, methods: Collection[str], answer_s: float):
        """methods: the names that may pass.  answer_s: the longest the card process may take."""
        self._socket = card_socket
        self._methods = methods
        self._answer_s = answer_s
        self._complaint = ""

    def answer(self, line: bytes) -> bytes | None:
        """A line, with its end, for the host; None for a notification, or for what is itself an
        answer (a line that comes back by an echo must not go round for ever)."""
        try:
            request = read_request(line)
        except RpcError as error:
            return None if is_answer(line) else line_of(error_of(None, error.code, str(error)))
        answer = self._passed_on(request)
        return answer if "id" in request else None

    def _passed_on(self, request: dict[str, Any]) -> bytes:
        number = request.get("id")
        if request["method"] not in self._methods:
            return line_of(no_such_method(number, self._methods))
        try:
            text = json.dumps(request, ensure_ascii=False, separators=(",", ":"))
            raw = text.encode("utf-8", "surrogatepass") + b"\n"
        except (ValueError, RecursionError):
            return line_of(error_of(number, INVALID_REQUEST, "not a JSON-RPC 2.0 request"))
        if len(raw) > MAX_LINE:
            long = f"a request has at most {MAX_LINE} bytes"
            return line_of(error_of(number, INVALID_REQUEST, long))
        return self._asked(raw, number)

    def _asked(self, raw: bytes, number: object) -> bytes:
        with socket.socket(socket.AF_UNIX) as card:
            card.settimeout(CONNECT_S)
            try:
                card.connect(str(self._socket))
            except OSError as error:
                self._complain(f"{self._socket}: {error}")
                return _away(number)
            self._complaint = ""
            with contextlib.suppress(OSError):  # it hung up: perhaps it said why
                card.sendall(raw)
                card.shutdown(socket.SHUT_WR)
            try:
                answer = _line_from(card, time.monotonic() + self._answer_s)
            except OSError as error:
                self._complain(f"{self._socket}: {error}")
                answer = b""
        if answer == turned_away():  # it read nothing
            return _away(number)
        return answer if answer.endswith(b"\n") else _lost(number)

    def _complain(self, what: str) -> None:
        """Once, until it is another or all is well."""
        if what != self._complaint:
            self._complaint = what
            _log.warning("%s", what)


def is_answer(line: bytes) -> bool:
    """A response object of JSON-RPC, which is no request and is not answered."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return False
    return isinstance(found, dict) and "method" not in found and not found.keys().isdisjoint(_TOLD)


def _line_from(card: socket.socket, until: float) -> bytes:
    """Up to its end, or to the connection's.  Raises OSError, also for one without an end."""
    found = bytearray()
    while not found.endswith(b"\n"):
        left_s = until - time.monotonic()
        if left_s <= 0 or len(found) > MAX_ANSWER:
            raise TimeoutError("no whole answer")
        card.settimeout(left_s)
        piece = card.recv(_PIECE)
        if not piece:
            break
        found += piece
    return bytes(found)


def _away(number: object) -> bytes:
    why = "the terminal does not answer; nothing was asked of it"
    data = with_texts(outcome("TERMINAL_AWAY"))
    return line_of(error_of(number, TERMINAL_AWAY, why, data))


def _lost(number: object) -> bytes:
    why = "the answer was lost: ask again with the same order number"
    return line_of(error_of(number, ANSWER_LOST, why, with_texts(outcome("ANSWER_LOST"))))
