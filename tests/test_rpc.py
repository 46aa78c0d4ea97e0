"""The unit's socket: JSON-RPC 2.0, one object a line; no input of a host ends the server."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import stat
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware.host import rpc
from firmware.host.rpc import MAX_CONNECTIONS, MAX_LINE, RpcError, RpcServer
from tests.host_rig import JSON, SocketHost
from tests.waiting import SOON_S


def add(one: int, two: int = 0) -> dict[str, Any]:
    return {"sum": one + two}


def refuse() -> dict[str, Any]:
    raise RpcError(-32001, "refused", {"why": "a test"})


def break_down() -> dict[str, Any]:
    raise TypeError("a fault of its own")


METHODS = {"add": add, "refuse": refuse, "break": break_down}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "unit.sock"


@pytest.fixture
def server(path: Path) -> Iterator[RpcServer]:
    running = RpcServer(path, 0o660, METHODS)
    running.start()
    yield running
    running.close()


@pytest.fixture
def host(server: RpcServer, path: Path) -> Iterator[SocketHost]:
    connected = SocketHost(path)
    yield connected
    connected.close()


def test_a_call_is_answered_with_its_id(host: SocketHost) -> None:
    for ident in (1, "a", None, -5):
        request = {"jsonrpc": "2.0", "id": ident, "method": "add", "params": {"one": 1, "two": 2}}
        told = host.say(json.dumps(request).encode())
        assert told == {"jsonrpc": "2.0", "id": ident, "result": {"sum": 3}}


def test_a_refusal_carries_its_cause(host: SocketHost) -> None:
    error = host.call("refuse")["error"]
    assert error == {"code": -32001, "message": "refused", "data": {"why": "a test"}}


WRONG = [
    (b"{", rpc.PARSE_ERROR),
    (b"\xff\xfe", rpc.PARSE_ERROR),
    (b"[" * 60_000, rpc.PARSE_ERROR),
    (b"1" * 5000, rpc.PARSE_ERROR),
    (b"[]", rpc.INVALID_REQUEST),
    (b"null", rpc.INVALID_REQUEST),
    (b"{}", rpc.INVALID_REQUEST),
    (b'{"jsonrpc":"1.0","id":1,"method":"add"}', rpc.INVALID_REQUEST),
    (b'{"id":1,"method":"add"}', rpc.INVALID_REQUEST),
    (b'{"jsonrpc":"2.0","id":1}', rpc.INVALID_REQUEST),
    (b'{"jsonrpc":"2.0","id":1,"method":5}', rpc.INVALID_REQUEST),
    (b'{"jsonrpc":"2.0","id":[],"method":"add"}', rpc.INVALID_REQUEST),
    (b'{"jsonrpc":"2.0","id":true,"method":"add"}', rpc.INVALID_REQUEST),
    (b'{"jsonrpc":"2.0","id":NaN,"method":"add"}', rpc.INVALID_REQUEST),
    (b'{"jsonrpc":"2.0","id":1,"method":"subtract"}', rpc.METHOD_NOT_FOUND),
    (b'{"jsonrpc":"2.0","id":1,"method":"__init__"}', rpc.METHOD_NOT_FOUND),
    (b'{"jsonrpc":"2.0","id":1,"method":"add","params":[1]}', rpc.INVALID_PARAMS),
    (b'{"jsonrpc":"2.0","id":1,"method":"add","params":{}}', rpc.INVALID_PARAMS),
    (b'{"jsonrpc":"2.0","id":1,"method":"add","params":{"one":1,"x":1}}', rpc.INVALID_PARAMS),
    (b'{"jsonrpc":"2.0","id":1,"method":"add","params":{"\\ud800":1}}', rpc.INVALID_PARAMS),
    (b'{"jsonrpc":"2.0","id":1,"method":"break"}', rpc.INTERNAL_ERROR),
]


@pytest.mark.parametrize(("line", "code"), WRONG)
def test_what_is_wrong_is_named_and_the_connection_goes_on(
    host: SocketHost, line: bytes, code: int
) -> None:
    assert host.say(line)["error"]["code"] == code
    assert host.call("add", one=1)["result"] == {"sum": 1}


def test_a_surrogate_in_an_id_comes_back(host: SocketHost) -> None:
    told = host.say(b'{"jsonrpc":"2.0","id":"\\ud800","method":"add","params":{"one":1}}')
    assert told["id"] == "\ud800"


def test_a_fault_of_our_own_tells_a_host_nothing_of_the_inside(host: SocketHost) -> None:
    assert "fault of its own" not in json.dumps(host.call("break"))


def test_a_notification_has_no_answer(host: SocketHost) -> None:
    host.link.sendall(b'{"jsonrpc":"2.0","method":"add","params":{"one":1}}\n')
    host.link.sendall(b'{"jsonrpc":"2.0","method":"unknown"}\n')
    assert host.call("add", one=7)["result"] == {"sum": 7}


def test_an_overlong_line_is_refused_and_ends_the_connection(host: SocketHost, path: Path) -> None:
    with contextlib.suppress(OSError):
        host.link.sendall(b"x" * (MAX_LINE + 10))
    assert host.hear()["error"]["code"] == rpc.INVALID_REQUEST
    with contextlib.suppress(ConnectionResetError):
        assert host.hear() is None
    other = SocketHost(path)
    assert other.call("add", one=1)["result"] == {"sum": 1}
    other.close()


def test_sixteen_connections_and_no_more(server: RpcServer, path: Path) -> None:
    hosts = [SocketHost(path) for _ in range(MAX_CONNECTIONS)]
    assert all(each.call("add", one=1)["result"] == {"sum": 1} for each in hosts)
    one_more = SocketHost(path)
    assert one_more.hear()["error"]["code"] == rpc.TOO_MANY
    assert one_more.hear() is None
    one_more.close()
    hosts.pop().close()
    until = time.monotonic() + SOON_S
    while True:
        again = SocketHost(path)
        try:
            told = again.call("add", one=1)
        except OSError:  # turned away before it could ask
            told = {}
        finally:
            again.close()
        if "result" in told or time.monotonic() > until:
            break
        time.sleep(0.01)
    assert told["result"] == {"sum": 1}
    for each in hosts:
        each.close()


def test_a_host_that_leaves_in_the_middle_harms_nobody(host: SocketHost, path: Path) -> None:
    for part in (b"", b'{"jsonrpc"', b'{"jsonrpc":"2.0","id":1,"method":"add"}\n'):
        leaving = SocketHost(path)
        leaving.link.sendall(part)
        leaving.close()
    assert host.call("add", one=1)["result"] == {"sum": 1}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    path = tmp_path_factory.mktemp("rpc") / "unit.sock"
    running = RpcServer(path, 0o660, METHODS)
    running.start()
    yield path
    running.close()


@given(st.lists(st.binary(max_size=40) | st.text(max_size=40).map(str.encode), max_size=4))
def test_random_bytes_never_end_the_server(shared: Path, lines: list[bytes]) -> None:
    host = SocketHost(shared)
    with contextlib.suppress(OSError):
        host.link.sendall(b"\n".join(lines) + b"\n")
    host.close()
    other = SocketHost(shared)
    assert other.call("add", one=1).get("result") == {"sum": 1}
    other.close()


_REQUEST = st.fixed_dictionaries(
    {},
    optional={
        "jsonrpc": st.just("2.0") | JSON,
        "id": JSON,
        "method": st.sampled_from(sorted(METHODS)) | JSON,
        "params": JSON,
    },
)


@given(_REQUEST | JSON)
def test_every_json_is_answered_with_json_or_with_silence(server_core: Any, request: Any) -> None:
    answer = server_core.answer(json.dumps(request).encode())
    if answer is not None:
        assert json.loads(rpc.line_of(answer))["jsonrpc"] == "2.0"
        assert ("result" in answer) != ("error" in answer)


@pytest.fixture(scope="module")
def server_core(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RpcServer]:
    server = RpcServer(tmp_path_factory.mktemp("rpc") / "core.sock", 0o660, METHODS)
    server.start()
    yield server
    server.close()


# -- the socket's file ----------------------------------------------------------------------------


@pytest.mark.parametrize("mode", [0o660, 0o600])
def test_the_socket_has_the_mode_of_the_board(path: Path, mode: int) -> None:
    before = os.umask(0)
    try:
        server = RpcServer(path, mode, METHODS)
        assert stat.S_IMODE(path.stat().st_mode) == mode
        assert os.umask(0) == 0, "the umask is given back"
    finally:
        os.umask(before)
    server.start()
    server.close()
    assert not path.exists()


def test_a_socket_left_by_a_dead_server_is_replaced(path: Path) -> None:
    dead = socket.socket(socket.AF_UNIX)
    dead.bind(str(path))
    dead.close()
    server = RpcServer(path, 0o660, METHODS)
    server.start()
    host = SocketHost(path)
    assert host.call("add", one=1)["result"] == {"sum": 1}
    host.close()
    server.close()


def test_a_live_server_is_not_replaced(server: RpcServer, host: SocketHost, path: Path) -> None:
    with pytest.raises(OSError, match="another terminal answers"):
        RpcServer(path, 0o660, METHODS)
    assert host.call("add", one=1)["result"] == {"sum": 1}


def test_a_file_that_is_no_socket_is_left_alone(path: Path) -> None:
    path.write_bytes(b"a journal, by a slip of the pen")
    with pytest.raises(OSError, match="no socket"):
        RpcServer(path, 0o660, METHODS)
    assert path.read_bytes() == b"a journal, by a slip of the pen"


def test_a_request_under_way_is_answered_when_the_server_closes(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go = threading.Event(), threading.Event()

    def slow() -> dict[str, Any]:
        begun.set()
        go.wait(SOON_S)
        return {"done": True}

    monkeypatch.setattr(rpc, "FAREWELL_S", SOON_S)
    server = RpcServer(path, 0o660, {"slow": slow})
    server.start()
    host = SocketHost(path)
    host.link.sendall(b'{"jsonrpc":"2.0","id":1,"method":"slow"}\n')
    assert begun.wait(SOON_S)
    threading.Timer(0.1, go.set).start()
    server.close()
    assert go.is_set(), "it waited: the process may end now"
    assert host.hear()["result"] == {"done": True}
    host.close()


def test_closing_does_not_wait_for_idle_hosts(
    server: RpcServer, host: SocketHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    host.call("add", one=1)
    monkeypatch.setattr(rpc, "FAREWELL_S", SOON_S)
    started = time.monotonic()
    server.close()
    assert time.monotonic() - started < SOON_S / 2
