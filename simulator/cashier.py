"""The cash register: a client of the terminal's socket (JSON-RPC 2.0, one object a line)."""

from __future__ import annotations

import itertools
import json
import socket
from pathlib import Path
from typing import Any

ANSWER_S = 15.0


class TerminalRefused(Exception):
    """The terminal answered with an error object; its message says why."""


class Asked:
    """A question under way: `answer` waits for what comes back."""

    def __init__(self, path: Path, ident: int, method: str, params: dict[str, Any]):
        """Raises OSError when no terminal listens at path."""
        self._method = method
        self._ident = ident
        self._link = socket.socket(socket.AF_UNIX)
        try:
            self._link.settimeout(ANSWER_S)
            self._link.connect(str(path))
            request = {"jsonrpc": "2.0", "id": ident, "method": method, "params": params}
            self._link.sendall(json.dumps(request).encode() + b"\n")
        except BaseException:
            self._link.close()
            raise

    def answer(self, within_s: float = ANSWER_S) -> dict[str, Any]:
        """The result.  Raises TerminalRefused; OSError (gone, or no answer in time)."""
        with self._link, self._link.makefile("rb") as lines:
            self._link.settimeout(within_s)
            line = lines.readline()
        if not line:
            raise ConnectionError(f"the terminal went away without an answer to {self._method}")
        told = json.loads(line)
        if told.get("id") != self._ident:
            raise ConnectionError(f"an answer to another question than {self._method}")
        if "error" in told:
            raise TerminalRefused(f"{self._method}: {told['error']['message']}")
        result: dict[str, Any] = told["result"]
        return result


class Cashier:
    """Each question has a connection of its own, so `status` answers while a payment runs."""

    def __init__(self, path: Path):
        self._path = path
        self._idents = itertools.count(1)

    def ask(self, method: str, **params: Any) -> Asked:
        """Put the question and come back at once."""
        return Asked(self._path, next(self._idents), method, params)

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        return self.ask(method, **params).answer()
