"""A call to a terminal: over its socket on this machine, or over the network."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
from pathlib import Path
from typing import Any, NamedTuple

from firmware.host.tls import TlsFilesError, client_context

ANSWER_S = 600.0
CONNECT_S = 10.0


class Unreachable(Exception):
    """No terminal answers there; nothing was asked of it."""


class AnswerLost(Exception):
    """The terminal took the request, and no answer came."""


class TlsFiles(NamedTuple):
    certificate: Path
    key: Path
    authority: Path


class Remote(NamedTuple):
    """A unit's host process.  tls: None on loopback only, in the clear."""

    host: str
    port: int
    tls: TlsFiles | None

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


def call(
    where: Path | Remote, method: str, params: dict[str, Any], timeout_s: float = ANSWER_S
) -> Any:
    """One JSON-RPC call; the result, or the error object as {"error": ...}.

    Raises Unreachable, AnswerLost.
    """
    request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    try:
        link = _connected(where, timeout_s)
    except (OSError, TlsFilesError) as error:
        raise Unreachable(_unreachable(where, error)) from None
    with contextlib.closing(link):
        try:
            link.sendall(json.dumps(request).encode() + b"\n")
            with link.makefile("rb") as lines:
                answer = json.loads(lines.readline())
        except (OSError, ValueError) as error:
            if _is_alert(error):  # TLS 1.3: the unit refuses our certificate after the handshake
                raise Unreachable(_unreachable(where, error)) from None
            raise AnswerLost(
                f"the terminal's answer was lost ({error}). Ask again; a payment with the same "
                "order number: it is never taken twice\n"
                "终端应答丢失，请用同一订单号重新查询，不会重复扣款"
            ) from None
    return answer["result"] if "result" in answer else {"error": answer["error"]}


def _connected(where: Path | Remote, timeout_s: float) -> socket.socket:
    """Raises OSError, TlsFilesError."""
    if isinstance(where, Remote):
        return _connected_remote(where, timeout_s)
    with contextlib.ExitStack() as unless_connected:
        link = unless_connected.enter_context(socket.socket(socket.AF_UNIX))
        link.settimeout(timeout_s)
        link.connect(str(where))
        unless_connected.pop_all()
    return link


def _connected_remote(where: Remote, timeout_s: float) -> socket.socket:
    context = None if where.tls is None else client_context(*where.tls)
    address = (where.host, where.port)
    with contextlib.ExitStack() as unless_connected:
        link = unless_connected.enter_context(
            socket.create_connection(address, min(CONNECT_S, timeout_s))
        )
        if context is not None:
            link = context.wrap_socket(link, server_hostname=where.host)
        unless_connected.pop_all()
    link.settimeout(timeout_s)
    return link


def _is_alert(error: Exception) -> bool:
    return isinstance(error, ssl.SSLError) and "ALERT" in (error.reason or "")


def _unreachable(where: Path | Remote, error: Exception) -> str:
    if isinstance(where, Remote):
        return (
            f"no terminal answers at {where} ({error}). See [host.lan] of the unit's board.toml, "
            f"its log, and the certificates\n"
            f"{where} 上没有终端应答，请检查终端的 [host.lan]、日志与证书"
        )
    return (
        f"no terminal answers on {where} ({error}). Start it: python -m firmware --board "
        f"board.toml\n{where} 上没有终端应答，请先启动终端程序"
    )
