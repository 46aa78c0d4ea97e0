"""Lines of JSON over a socket of the machine: the agent's and QEMU's own (QMP)."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from pathlib import Path
from typing import Any

CONNECT_S = 60.0


class Closed(Exception):
    """The machine is gone."""


class Lines:
    """Connects to `path`, which QEMU makes soon.  Every object that comes is kept in `told`."""

    def __init__(self, path: Path):
        self._link = connect(path)
        self.told: list[dict[str, Any]] = []
        self._changed = threading.Condition()
        self._is_closed = False
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def say(self, **what: Any) -> None:
        """Raises Closed."""
        try:
            self._link.sendall(json.dumps(what).encode() + b"\n")
        except OSError:
            raise Closed from None

    def wait(self, timeout_s: float, **wanted: Any) -> dict[str, Any]:
        """The first object in which each of `wanted` stands (None: any value), once it came; it is
        taken out.  Raises Closed, TimeoutError."""
        ends = time.monotonic() + timeout_s
        with self._changed:
            while True:
                for each in self.told:
                    if all(k in each and v in (None, each[k]) for k, v in wanted.items()):
                        self.told.remove(each)
                        return each
                if self._is_closed:
                    raise Closed(f"waited for {wanted}")
                left_s = ends - time.monotonic()
                if left_s <= 0:
                    raise TimeoutError(f"nothing with {wanted} in {timeout_s:.0f} s")
                self._changed.wait(left_s)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._link.shutdown(socket.SHUT_RDWR)
        self._thread.join(10)
        self._link.close()

    def _read(self) -> None:
        with contextlib.suppress(OSError), self._link.makefile("rb") as lines:
            for line in lines:
                with contextlib.suppress(ValueError), self._changed:
                    self.told.append(json.loads(line))
                    self._changed.notify_all()
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()


def connect(path: Path) -> socket.socket:
    """To what QEMU makes soon.  Raises OSError."""
    ends = time.monotonic() + CONNECT_S
    while True:
        link = socket.socket(socket.AF_UNIX)
        try:
            link.connect(str(path))
            return link
        except OSError:
            link.close()
            if time.monotonic() > ends:
                raise
            time.sleep(0.01)
