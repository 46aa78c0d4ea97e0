"""Slow, flooding and vanishing hosts on the network, and a terminal that goes and comes."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from firmware.host import lan, pace, process, rpc
from firmware.host.rpc import RpcServer
from firmware.outcome import TransportError
from tests.host_rig import Card, LanHost, Listener, works
from tests.waiting import SOON_S, until


@pytest.fixture
def card(tmp_path: Path) -> Iterator[Card]:
    with contextlib.closing(Card(tmp_path)) as made:
        yield made


@pytest.fixture
def plain(card: Card) -> Iterator[Listener]:
    with contextlib.closing(Listener(card.socket)) as made:
        yield made


# -- bounds ----------------------------------------------------------------------------------------


def test_a_host_in_the_clear_on_loopback(plain: Listener) -> None:
    host = plain.host()
    assert host.say(b"{")["error"]["code"] == rpc.PARSE_ERROR
    assert host.call("nothing")["error"]["code"] == rpc.METHOD_NOT_FOUND
    assert works(host)


def test_an_overlong_line_ends_the_connection(plain: Listener) -> None:
    host = plain.host()
    with contextlib.suppress(OSError):
        host.link.sendall(b"x" * (rpc.MAX_LINE + 10))
    assert host.hear()["error"]["code"] == rpc.INVALID_REQUEST
    with contextlib.suppress(ConnectionResetError):
        assert host.hear() is None
    host.close()
    assert works(plain.host())


def test_six_from_one_address_and_no_more(plain: Listener) -> None:
    hosts = [plain.host() for _ in range(lan.MAX_OF_ONE)]
    for each in hosts:
        assert each.call("add", one=1)["result"] == {"sum": 2}
    more = plain.host()
    assert more.hear()["error"]["code"] == rpc.TOO_MANY
    assert more.hear() is None
    more.close()
    hosts.pop().close()
    until(lambda: is_served(plain))
    for each in hosts:
        each.close()


def is_served(listener: Listener) -> bool:
    try:
        host = listener.host()
    except OSError:
        return False
    with contextlib.closing(host), contextlib.suppress(OSError):
        return "result" in host.call("add", one=1)
    return False


def test_a_drip_of_bytes_and_silence_end(plain: Listener, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "LINE_S", 0.2)
    monkeypatch.setattr(process, "IDLE_S", 0.3)
    for first in (b"{", b""):
        host = plain.host()
        host.link.sendall(first)
        assert host.hear() is None
        host.close()


class Recorder(threading.Event):
    """Waits for nothing, and keeps how long it should have."""

    def __init__(self) -> None:
        super().__init__()
        self.waits_s: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.waits_s.append(timeout or 0.0)
        return False


def test_a_flood_is_slowed_and_others_are_served(
    plain: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each connection has its own pace: the flood waits, nobody else does."""
    monkeypatch.setattr(process, "Pace", lambda: pace.Pace(2, 0.001))
    stop = Recorder()
    plain.talks._stop = stop
    flood, calm = plain.host(), plain.host()
    line = b'{"jsonrpc":"2.0","id":1,"method":"add","params":{"one":1}}\n'
    flood.link.sendall(line * 4)
    for _ in range(4):
        assert "result" in flood.hear()
    first, second, third, fourth = stop.waits_s
    assert first == second == 0.0
    assert 800 < third < fourth
    assert calm.call("add", one=1)["result"] == {"sum": 2}
    assert stop.waits_s[4:] == [0.0]
    stop.set()
    for each in (flood, calm):
        each.close()


def test_a_host_that_does_not_read_is_dropped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lan, "WRITE_S", 0.2)
    path = tmp_path / "unit.sock"
    server = RpcServer(path, 0o600, {"long": lambda: {"text": "x" * 1_900_000}})
    server.start()
    listener = Listener(path, methods=("long",))
    host = listener.host()
    for _ in range(10):
        host.link.sendall(b'{"jsonrpc":"2.0","id":1,"method":"long"}\n')
    until(lambda: listener.server._open.total() == 0)
    host.close()
    listener.close()
    server.close()


def test_a_host_that_reads_in_drips_is_dropped_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each piece in time, the whole not."""

    class Dripping:
        def settimeout(self, seconds: float) -> None: ...

        def send(self, data: memoryview) -> int:
            time.sleep(0.001)
            return 1

    monkeypatch.setattr(lan, "WRITE_S", 0.05)
    with pytest.raises(TransportError):
        lan.Connection(Dripping()).write(b"x" * 100_000)


# -- hosts and terminals that go -------------------------------------------------------------------


def test_a_host_that_leaves_does_not_end_what_it_asked_for(plain: Listener, card: Card) -> None:
    for leave in (LanHost.close, _reset):
        host = plain.host()
        host.link.sendall(b'{"jsonrpc":"2.0","id":1,"method":"slow"}\n')
        assert card.begun.acquire(timeout=SOON_S)
        leave(host)
    card.go.set()
    until(lambda: card.done == 2)
    until(lambda: plain.server._open.total() == 0)
    assert works(plain.host())


def _reset(host: LanHost) -> None:
    host.link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    host.close()


def test_the_terminal_goes_and_comes_and_one_connection_is_enough(tmp_path: Path) -> None:
    first = Card(tmp_path)
    listener = Listener(first.socket)
    host = listener.host()
    assert host.call("add", one=1)["result"] == {"sum": 2}
    first.close()
    told = host.call("add", one=1)["error"]
    assert (told["code"], told["data"]["outcome"]["number"]) == (rpc.TERMINAL_AWAY, 641)
    second = Card(tmp_path)
    assert works(host)
    listener.close()
    second.close()


def test_an_address_that_is_taken_is_had_when_it_is_free(
    card: Card, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lan, "RETRY_S", 0.05)
    made = Listener(card.socket)
    made.close()
    with socket.create_server(("127.0.0.1", made.port)) as taken:
        again = lan.LanServer(made.server._settings, made.talks.of_network)
        thread = threading.Thread(target=again.run, daemon=True)
        thread.start()
        until(lambda: "in use" in caplog.text)
        time.sleep(0.2)
        assert caplog.text.count("in use") == 1
        taken.close()
    made.stop.clear()
    until(lambda: is_served(made))
    again.close()
    thread.join(SOON_S)
    assert not thread.is_alive()


def test_nothing_is_logged_of_what_hosts_say(
    plain: Listener, caplog: pytest.LogCaptureFixture
) -> None:
    host = plain.host()
    host.say(json.dumps({"jsonrpc": "2.0", "id": 1, "method": "add", "x": "secret-7"}).encode())
    host.say(b"secret-7 is no JSON")
    host.close()
    assert "secret-7" not in caplog.text
