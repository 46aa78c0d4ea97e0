"""A cash register without a network: the same requests on a serial line (a pty with its cable)."""

from __future__ import annotations

import contextlib
import json
import os
import select
import threading
import time
import tty
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from firmware.drivers.uart import open_uart
from firmware.host import process, rpc
from firmware.host.process import Talks
from firmware.host.relay import Relay
from firmware.host.rpc import RpcServer
from firmware.outcome import TransportError
from tests.waiting import SOON_S, until


class Line:
    """A cable with a register at its other end; unplugged, its device is gone."""

    def __init__(self, folder: Path):
        self.device = folder / "ttyUSB0"
        self.plug_in()

    def plug_in(self) -> None:
        self._register, terminal = os.openpty()
        tty.setraw(self._register)
        self.device.unlink(missing_ok=True)
        self.device.symlink_to(os.ttyname(terminal))
        self._terminal = terminal
        self._held = b""

    def unplug(self) -> None:
        self.device.unlink()
        os.close(self._register)
        os.close(self._terminal)

    def send(self, raw: bytes) -> None:
        while raw:
            raw = raw[os.write(self._register, raw[:1024]) :]

    def hear(self) -> Any:
        """The next line; AssertionError when none comes."""
        ends = time.monotonic() + SOON_S
        while b"\n" not in self._held:
            ready, _, _ = select.select([self._register], [], [], max(0, ends - time.monotonic()))
            assert ready, "the line is silent"
            self._held += os.read(self._register, 65_536)
        line, _, self._held = self._held.partition(b"\n")
        return json.loads(line)

    def call(self, method: str, **params: Any) -> Any:
        request = {"jsonrpc": "2.0", "id": 3, "method": method, "params": params}
        self.send(json.dumps(request).encode() + b"\r\n")
        return self.hear()


class Unit:
    def __init__(self, folder: Path):
        self.line = Line(folder)
        self.stop = threading.Event()
        self.asked: list[int] = []
        self._server = RpcServer(folder / "unit.sock", 0o600, {"add": self._add, "long": _long})
        self._server.start()
        relay = Relay(folder / "unit.sock", ("add", "long"), SOON_S)
        device = str(self.line.device)
        self._thread = threading.Thread(
            target=Talks(relay, self.stop).of_line,
            args=(lambda: open_uart(device, 115_200), 115_200),
            daemon=True,
        )
        self._thread.start()
        until(self._serves)

    def _serves(self) -> bool:
        """The first byte before pyserial's own settings may be lost, as on a real line."""
        self.line.send(b"\n")
        ready, _, _ = select.select([self.line._register], [], [], 0.2)
        return bool(ready) and self.line.hear()["error"]["code"] == rpc.PARSE_ERROR

    def _add(self, one: int) -> dict[str, Any]:
        self.asked.append(one)
        return {"sum": one + 1}

    def works(self) -> bool:
        found: Any = None
        while found is None or found.get("id") != 3:  # what was asked before may still come
            found = self.line.call("add", one=1)
        return bool(found["result"] == {"sum": 2})

    def end(self) -> None:
        self.stop.set()
        self._thread.join(SOON_S)
        assert not self._thread.is_alive()
        self._server.close()


def _long(size: int) -> dict[str, Any]:
    return {"text": "x" * size}


@pytest.fixture
def unit(tmp_path: Path) -> Iterator[Unit]:
    made = Unit(tmp_path)
    yield made
    made.end()


def test_requests_and_long_answers_on_a_line(unit: Unit) -> None:
    assert unit.works()
    assert len(unit.line.call("long", size=100_000)["result"]["text"]) == 100_000
    assert unit.line.call("update.lease", seconds=1)["error"]["code"] == rpc.METHOD_NOT_FOUND


def test_what_is_damaged_is_told_and_the_next_line_is_served(unit: Unit) -> None:
    unit.line.send(b'{"jsonrpc":"2.0","id":1,"me\xff\x00d":"add"}\n')
    assert unit.line.hear()["error"]["code"] == rpc.PARSE_ERROR
    unit.line.send(b"x" * (rpc.MAX_LINE + 5000) + b"\n")
    assert unit.line.hear()["error"]["code"] == rpc.INVALID_REQUEST
    assert unit.works()


def test_half_a_request_is_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A register switched off in its request does not spoil the first one after."""
    monkeypatch.setattr(process, "LINE_S", -rpc.MAX_LINE * 10 / 115_200 + 0.3)
    caplog.set_level("INFO")
    unit = Unit(tmp_path)
    unit.line.send(b'{"jsonrpc":"2.0","id":1,"method":"add","params":{"one":5')
    until(lambda: "did not end" in caplog.text)
    assert unit.line.call("add", one=1)["result"] == {"sum": 2}
    assert unit.asked == [1]
    unit.end()


def test_an_echo_does_not_go_round(unit: Unit) -> None:
    """A register or cable that sends back what it hears."""
    answer = unit.line.call("add", one=1)
    refusal = unit.line.call("nothing")
    for each in (answer, refusal):
        unit.line.send(json.dumps(each).encode() + b"\n")
    assert unit.line.call("add", one=2)["result"] == {"sum": 3}


def test_a_cable_that_comes_back_is_served_again(
    unit: Unit, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "REOPEN_AFTER_S", 0.05)
    unit.line.unplug()
    until(lambda: "cannot be opened" in caplog.text)
    time.sleep(0.3)
    assert caplog.text.count("cannot be opened") == 1, "told once"
    unit.line.plug_in()
    until(unit._serves)
    assert unit.works()


def test_a_register_that_does_not_read_does_not_hold_the_line_for_ever() -> None:
    """The driver's own deadline ends a write; the line is opened anew."""
    written: list[int] = []

    class Deaf:
        def read(self, maximum: int, timeout_s: float) -> bytes:
            return b'{"jsonrpc":"2.0","id":1,"method":"x"}\n'

        def write(self, data: bytes) -> None:
            written.append(len(data))
            stop.set()
            raise TransportError("takes no bytes", "silent")

        def close(self) -> None:
            written.append(-1)

    stop = threading.Event()
    with contextlib.suppress(TransportError):
        Talks(Relay(Path("/nowhere"), ("x",), 1.0), stop).of_line(Deaf, 9600)
    assert written[-1] == -1
    assert 0 < written[0] <= 480
