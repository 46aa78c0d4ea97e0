"""A simulator as a process of its own: an AF_UNIX socket before a World (`sscsim serve`).

client.py describes the wire.  Each connection has a thread.  When a device connection closes while
its command is held, the command is dropped; the card it had powered loses power.
"""

from __future__ import annotations

import contextlib
import functools
import json
import math
import os
import signal
import socket
import struct
import threading
from collections.abc import Callable
from pathlib import Path

from firmware.outcome import TransportError
from simulator import client, control
from simulator.slot import SimulatedSlot
from simulator.world import World

_KIND_NUMBERS = {kind: number for number, kind in client.KINDS.items()}
_GREETING_MAX = 64
_CONTROL_LINE_MAX = 65536
_GREETING_S = 5.0
_LONGEST_WAIT_S = 60.0


class SimulatorProcess:
    """Listens on `path` until stop().  Raises OSError when the path cannot be had."""

    def __init__(self, world: World, path: Path):
        self._world = world
        self._path = path
        self._stopping = threading.Event()
        # Which connection powered each slot: only that one powers it down by closing.
        self._powered_by: dict[str, socket.socket] = {}
        self._listener = _listen(path)

    def stop(self) -> None:
        self._stopping.set()

    def run(self, ready: Callable[[], None] = lambda: None) -> None:
        """Serve until stop(), SIGTERM or SIGINT; then save and remove the socket.

        ready: called when a signal will end it cleanly and clients are served.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self.stop())
        threading.Thread(target=self._accept, daemon=True).start()
        ready()
        self._stopping.wait()
        self._path.unlink(missing_ok=True)
        self._listener.close()
        for slot in self._world.slots.values():
            slot.power_off()
        self._world.save()

    def _accept(self) -> None:
        while not self._stopping.is_set():
            try:
                link, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(link,), daemon=True).start()

    def _serve(self, link: socket.socket) -> None:
        with link, contextlib.suppress(OSError, EOFError, struct.error):
            link.settimeout(_GREETING_S)
            what, _, name = _read_line(link, _GREETING_MAX).partition(" ")
            link.settimeout(None)
            if what == "reader" and name in self._world.slots:
                link.sendall(b"ok\n")
                self._serve_reader(link, self._world.slots[name])
            elif what == "pad":
                link.sendall(b"ok\n")
                self._serve_pad(link)
            elif what == "control":
                link.sendall(b"ok\n")
                self._serve_control(link)
            else:
                there = ", ".join(self._world.slots)
                link.sendall(f"no such device; there are the readers {there}, pad\n".encode())

    # --- device connections

    def _serve_reader(self, link: socket.socket, slot: SimulatedSlot) -> None:
        gone = functools.partial(client.is_gone, link)
        try:
            while True:
                request = client.read_frame(link)
                try:
                    answer = self._answer_reader(link, slot, request, gone)
                except TransportError as fault:
                    if fault.kind == "silent":
                        continue  # as a mute card does: the client's own deadline ends it
                    answer = bytes((_KIND_NUMBERS[fault.kind],)) + fault.what.encode()
                link.sendall(client.frame(answer))
        finally:
            if self._powered_by.get(slot.name) is link:
                slot.power_off()

    def _answer_reader(
        self, link: socket.socket, slot: SimulatedSlot, request: bytes, gone: Callable[[], bool]
    ) -> bytes:
        kind = request[:1]
        if kind == client.EXCHANGE:
            return b"\0" + slot.exchange(request[1:], math.inf, gone)
        if kind == client.REACH:
            return b"\0" + struct.pack(">BI", *slot.wait_beyond(-1, 0))
        if kind == client.WAIT:
            seen, milliseconds = struct.unpack(">II", request[1:])
            wait_s = min(milliseconds / 1000, _LONGEST_WAIT_S)
            return b"\0" + struct.pack(">BI", *slot.wait_beyond(seen, wait_s))
        if kind == client.POWER_ON:
            self._powered_by[slot.name] = link
            atr = slot.power_on()
            return bytes((client.OK, slot.is_block_protocol)) + atr
        if kind == client.POWER_OFF:
            slot.power_off()
            return b"\0"
        raise EOFError(f"no request {kind!r}")

    def _serve_pad(self, link: socket.socket) -> None:
        gone = functools.partial(client.is_gone, link)
        while True:
            request = client.read_frame(link)
            (milliseconds,) = struct.unpack(">I", request[1:])
            holder = self._world.holder
            try:
                if request[:1] == client.PRESSED:
                    key = holder.key(milliseconds / 1000, gone)
                    if key is None:
                        raise TimeoutError
                    answer = bytes((client.OK,)) + key.encode()
                else:
                    digits = holder.digits(milliseconds / 1000, gone)
                    answer = bytes((client.OK,)) + bytes(digits or b"")
            except TimeoutError:
                answer = bytes((client.TIMED_OUT,))
            link.sendall(client.frame(answer))

    # --- control connections

    def _serve_control(self, link: socket.socket) -> None:
        with link.makefile("rb") as lines:
            while line := lines.readline(_CONTROL_LINE_MAX):
                answer = self._answer_control(line)
                link.sendall(json.dumps(answer, ensure_ascii=False).encode() + b"\n")

    def _answer_control(self, line: bytes) -> dict[str, object]:
        try:
            asked = json.loads(line)
        except ValueError:
            return {"error": "a request is one JSON object on one line"}
        if not isinstance(asked, dict):
            return {"error": "a request is a JSON object"}
        name = asked.pop("do", None)
        if name == "stop":
            self.stop()
            return {"result": None}
        try:
            return {"result": control.perform(self._world, str(name), asked)}
        except control.Refused as error:
            return {"error": str(error)}


def _listen(path: Path) -> socket.socket:
    """A listening socket at path, replacing one that a dead process left behind."""
    if path.exists():
        try:
            client.connect(str(path), "control").close()
        except ConnectionRefusedError:
            path.unlink()
        else:
            raise OSError(
                f"another simulator listens on {path}: stop it, or choose another --socket"
            )
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.bind(str(path))
        os.chmod(path, 0o600)
        listener.listen()
    except BaseException:
        listener.close()
        raise
    return listener


def _read_line(link: socket.socket, longest: int) -> str:
    """One ASCII line without its end.  Raises EOFError when it is longer, or never ends."""
    line = b""
    while not line.endswith(b"\n"):
        byte = link.recv(1)
        if not byte or len(line) >= longest:
            raise EOFError("no greeting")
        line += byte
    return line[:-1].decode("ascii", "replace")
