"""One question to the card process, by JSON-RPC on its socket."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

from firmware.board import BoardError, load
from tools.update.places import Places

ANSWER_S = 30.0
_MOST = 1 << 20  # bytes of an answer

NOBODY: dict[str, Any] = {"error": {"message": "no card process listens"}}
"""The answer where none runs: then no payment does."""


def socket_of(places: Places) -> Path:
    """The one board.toml names: asking at another would find nobody during a payment.

    A board that is refused starts no card process; then the usual place is as good.
    """
    try:
        return load(places.board).host.socket
    except (BoardError, OSError):
        return places.socket


def ask(path: Path, method: str, params: dict[str, Any]) -> dict[str, Any] | None:
    """The answer with "result" or "error"; NOBODY; None when it is there and does not answer."""
    asks = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    with socket.socket(socket.AF_UNIX) as link:
        link.settimeout(ANSWER_S)
        try:
            link.connect(str(path))
        except (FileNotFoundError, ConnectionRefusedError):
            return NOBODY
        except OSError:
            return None
        try:
            link.sendall(json.dumps(asks).encode() + b"\n")
            with link.makefile("rb") as lines:
                answer = json.loads(lines.readline(_MOST))
        except (OSError, ValueError):
            return None
    return answer if isinstance(answer, dict) else None
