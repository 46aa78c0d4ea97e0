"""Terminals that answer on the local network: mDNS and DNS-SD (RFC 6762, 6763), by zeroconf.

The package is a technician's: `make environment-technician` installs it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import NamedTuple, cast

from tools.technician.errors import FlashError
from tools.technician.ident import Ident, parse
from tools.technician.usb import printable

SERVICE = "_sscterm._tcp.local."
_MOST = 256  # services, more are left out
_QUESTION_MS = 1500
LAST_S = 0.5


class Answer(NamedTuple):
    """ident: None where the TXT record is not one of ours.  name: the service's."""

    name: str
    address: str
    port: int
    ident: Ident | None
    serial: str


def answers(
    seconds: float, wanted: str = "", interfaces: Sequence[str] | None = None
) -> list[Answer]:
    """Who answers within so many seconds, in the order of names.

    wanted: a unit's id or its board's number; when it has answered, others have LAST_S left.
    interfaces: addresses of ours to ask from; every one if None.  Raises FlashError 1455, 1456.
    """
    try:
        from zeroconf import (
            DNSQuestionType,
            InterfaceChoice,
            ServiceBrowser,
            ServiceListener,
            Zeroconf,
        )
    except ImportError:
        raise FlashError(1455) from None
    try:
        asked = Zeroconf(interfaces=InterfaceChoice.All if interfaces is None else list(interfaces))
    except OSError as error:
        raise FlashError(1456, error.strerror or str(error)) from None
    names = _Names()
    until = time.monotonic() + seconds
    try:
        # Answers to all: one sent to this computer alone may reach another program on port 5353.
        multicast = DNSQuestionType.QM
        listener = cast("ServiceListener", names)
        ServiceBrowser(asked, SERVICE, listener, question_type=multicast)
        found: dict[str, Answer] = {}
        while (left := until - time.monotonic()) > 0:
            name = names.next(left)
            if name is None or len(found) >= _MOST:
                break
            ask_ms = min(_QUESTION_MS, int(left * 1000))
            info = asked.get_service_info(SERVICE, name, ask_ms, multicast)
            if info is None or not (addresses := info.parsed_scoped_addresses()) or not info.port:
                continue
            text = {_text(key): _text(value or b"") for key, value in info.properties.items()}
            addresses.sort(key=lambda each: ":" in each)
            found[name] = each = _answer(name, addresses[0], info.port, text)
            if wanted and wanted in (each.serial, each.ident and each.ident.unit):
                until = min(until, time.monotonic() + LAST_S)
    finally:
        asked.close()
    return [found[name] for name in sorted(found)]


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")


def _answer(name: str, address: str, port: int, text: dict[str, str]) -> Answer:
    """The words must be those of a first line as well: one form, checked in one place."""
    line = f"SSH-2.0-x sscterm/{text.get('version')}/{text.get('unit')}/{text.get('state')}"
    serial = text.get("serial", "")
    return Answer(
        printable(name.removesuffix(f".{SERVICE}")),
        address,
        port,
        parse(line.encode("utf-8", "replace")),
        serial if serial.isalnum() and serial.isascii() else "",
    )


class _Names:
    """A listener of zeroconf's browser, which calls from its own thread."""

    def __init__(self) -> None:
        self._lock = threading.Condition()
        self._waiting: list[str] = []
        self._seen: set[str] = set()

    def next(self, seconds: float) -> str | None:
        """The next name that was not handed out yet; None when none comes in time."""
        with self._lock:
            self._lock.wait_for(lambda: bool(self._waiting), seconds)
            return self._waiting.pop(0) if self._waiting else None

    def add_service(self, _zeroconf: object, _kind: str, name: str) -> None:
        with self._lock:
            if name not in self._seen and len(self._seen) < _MOST:
                self._seen.add(name)
                self._waiting.append(name)
                self._lock.notify()

    def update_service(self, *_: object) -> None:
        pass

    def remove_service(self, *_: object) -> None:
        pass
