"""What `find` may meet: sysfs trees, a terminal on a serial line, one on the network."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import socketserver
import threading
import tty
from collections.abc import Iterator
from pathlib import Path

from tools.door.announce import SERVICE, Said

Attributes = dict[str, str]


def usb_tree(folder: Path, devices: dict[str, tuple[Attributes, dict[str, list[str]]]]) -> Path:
    """devices: port -> (attributes, interface -> [class, its folders below ...]), as in sysfs."""
    for port, (attributes, interfaces) in devices.items():
        device = folder / port
        device.mkdir(parents=True)
        for name, text in attributes.items():
            (device / name).write_text(f"{text}\n")
        for interface, (kind, *below) in interfaces.items():
            place = folder / interface
            place.mkdir()
            (place / "bInterfaceClass").write_text(f"{kind}\n")
            for each in below:
                (place / each).mkdir(parents=True)
    return folder


class FarEnd(threading.Thread):
    """The other end of a serial line: says `answer` each time that it heard `awaited`."""

    def __init__(self, awaited: bytes, answer: bytes):
        super().__init__(daemon=True)
        self.awaited, self.answer = awaited, answer
        self.heard = b""
        self.line, theirs = os.openpty()
        tty.setraw(theirs)
        self.theirs = theirs  # held open, as a cable that stays plugged in
        self.device = os.ttyname(theirs)
        self._ending, self._end = os.pipe()

    def run(self) -> None:
        answered = 0
        while True:
            ready, _, _ = select.select([self.line, self._ending], [], [], 60)
            if self._ending in ready or not ready:
                return
            self.heard += os.read(self.line, 1024)
            while answered < self.heard.count(self.awaited):
                answered += 1
                os.write(self.line, self.answer)

    def __enter__(self) -> FarEnd:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        os.write(self._end, b".")
        self.join(60)
        for each in (self.line, self.theirs, self._ending, self._end):
            os.close(each)


@contextlib.contextmanager
def listener(*says: bytes) -> Iterator[int]:
    """A port on loopback where each visitor is told `says`, and then waited for."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with contextlib.suppress(OSError):
                for each in says:
                    self.request.sendall(each)
                self.request.settimeout(60)
                while self.request.recv(1024):
                    pass

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join(60)


@contextlib.contextmanager
def announced(*units: tuple[Said, int], address: str = "127.0.0.1") -> Iterator[None]:
    """A responder on loopback with each unit's own TXT record and port."""
    from zeroconf import ServiceInfo, Zeroconf

    responder = Zeroconf(interfaces=["127.0.0.1"])
    try:
        for said, port in units:
            responder.register_service(
                ServiceInfo(
                    f"{SERVICE}.local.",
                    f"sscterm-{said.name}.{SERVICE}.local.",
                    addresses=[socket.inet_aton(address)],
                    port=port,
                    properties=said.text(),
                    server=f"{said.name}.local.",
                )
            )
        yield
    finally:
        responder.close()
