"""A card of a few lines for vsmartcard-vpcd, whose every answer and silence a test decides."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable

from tests.waiting import SOON_S

_ORDERS = {b"\x00": "off", b"\x01": "on", b"\x02": "reset"}


class VpcdCard:
    """Plugged in when made.  answer: command -> answer, or None to say nothing ever after."""

    def __init__(self, port: int, atr: bytes, answer: Callable[[bytes], bytes | None]):
        self.orders: list[str] = []
        self._atr = atr
        self._answer = answer
        self._link = socket.create_connection(("127.0.0.1", port), 5)
        self._link.settimeout(None)
        self._link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def pull(self) -> None:
        with contextlib.suppress(OSError):
            self._link.shutdown(socket.SHUT_RDWR)
        self._thread.join(SOON_S)
        self._link.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError, EOFError):
            while True:
                body = self._read(int.from_bytes(self._read(2), "big"))
                if body in _ORDERS:
                    self.orders.append(_ORDERS[body])
                    continue
                answer = self._atr if body == b"\x04" else self._answer(body)
                if answer is not None:
                    self._link.sendall(len(answer).to_bytes(2, "big") + answer)

    def _read(self, count: int) -> bytes:
        got = b""
        while len(got) < count:
            # Without this vpcd's Nagle and our delayed ACK cost 44 ms a message.
            self._link.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
            more = self._link.recv(count - len(got))
            if not more:
                raise EOFError
            got += more
        return got
