"""The relay: only the counter's methods pass, each line once, and a host is never left without."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware.authorize.services import SERVICES
from firmware.host import rpc
from firmware.host.desk import Desk
from firmware.host.outside import INSIDE, OUTSIDE
from firmware.host.relay import MAX_ANSWER, Relay
from firmware.host.rpc import MAX_LINE, RpcServer
from tests.host_rig import JSON
from tests.waiting import SOON_S

ASKED: list[dict[str, Any]] = []


def echo(**params: Any) -> dict[str, Any]:
    ASKED.append(params)
    return params


def long(size: int) -> dict[str, Any]:
    return {"text": "x" * size}


METHODS = {"echo": echo, "long": long, "hidden": echo}


@pytest.fixture(scope="module")
def card(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    path = tmp_path_factory.mktemp("relay") / "unit.sock"
    server = RpcServer(path, 0o600, METHODS)
    server.start()
    yield path
    server.close()


@pytest.fixture(scope="module")
def relay(card: Path) -> Relay:
    return Relay(card, ("echo", "long"), SOON_S)


def ask(relay: Relay, method: str, **params: Any) -> Any:
    request = {"jsonrpc": "2.0", "id": "q", "method": method, "params": params}
    answer = relay.answer(json.dumps(request).encode())
    assert answer is not None
    assert answer.endswith(b"\n")
    assert answer.count(b"\n") == 1
    return json.loads(answer)


def test_every_method_of_the_terminal_is_either_the_counters_or_the_units_own() -> None:
    """A method that is new must be judged before it can be asked from anywhere."""
    desk = Desk.methods(Desk.__new__(Desk))
    assert set(OUTSIDE) | set(INSIDE) == set(desk)
    assert set(OUTSIDE).isdisjoint(INSIDE)
    assert set(SERVICES) <= set(desk)
    assert {"update.lease", "update.selftest", "tamper.clear", "records"} == set(INSIDE)


def test_what_is_asked_is_answered_as_the_terminal_says_it(relay: Relay) -> None:
    told = ask(relay, "echo", one=1, text="社保 \ud800", deep=[{"a": None}], big=10**20)
    assert told["id"] == "q"
    assert told["result"] == {
        "one": 1, "text": "社保 \ud800", "deep": [{"a": None}], "big": 10**20,
    }  # fmt: skip
    assert len(ask(relay, "long", size=1_000_000)["result"]["text"]) == 1_000_000


def test_what_is_not_for_the_counter_does_not_reach_the_terminal(relay: Relay) -> None:
    before = len(ASKED)
    told = ask(relay, "hidden", one=1)["error"]
    assert told["code"] == rpc.METHOD_NOT_FOUND
    assert "hidden" not in told["message"]
    assert relay.answer(b'{"jsonrpc":"2.0","method":"hidden","params":{"one":1}}') is None
    twice = b'{"jsonrpc":"2.0","id":1,"method":"hidden","method":"echo","method":"hidden"}'
    answer = relay.answer(twice)
    assert answer is not None
    assert json.loads(answer)["error"]["code"] == rpc.METHOD_NOT_FOUND
    assert len(ASKED) == before


def test_the_terminal_gets_what_was_checked_not_what_was_written(tmp_path: Path) -> None:
    """A name twice in one object is one for each reader: it goes on once."""
    with FakeCard(tmp_path, lambda link, line: link.sendall(b'{"result":1}\n')) as fake:
        relay = Relay(fake.path, ("echo",), SOON_S)
        relay.answer(b' {"method":"x", "id":1,  "jsonrpc":"2.0" ,"method":"echo"}\r')
        assert fake.heard == [b'{"method":"echo","id":1,"jsonrpc":"2.0"}\n']


def test_a_notification_is_passed_on_and_has_no_answer(relay: Relay) -> None:
    before = len(ASKED)
    assert relay.answer(b'{"jsonrpc":"2.0","method":"echo","params":{"n":1}}') is None
    assert len(ASKED) == before + 1


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"{", rpc.PARSE_ERROR),
        (b"", rpc.PARSE_ERROR),
        (b"\xff\xfe", rpc.PARSE_ERROR),
        (b"[" * 60_000, rpc.PARSE_ERROR),
        (b"1" * 5000, rpc.PARSE_ERROR),
        (b"[]", rpc.INVALID_REQUEST),
        (b'{"jsonrpc":"2.0","id":1}', rpc.INVALID_REQUEST),
        (b'{"jsonrpc":"2.0","id":1,"method":["echo"]}', rpc.INVALID_REQUEST),
        (b'{"jsonrpc":"2.0","id":1,"method":"echo","params":[1]}', rpc.INVALID_PARAMS),
        (b'{"jsonrpc":"2.0","id":1,"method":"echo","params":{"a":"' + b"x" * MAX_LINE + b'"}}',
         rpc.INVALID_REQUEST),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(relay: Relay, line: bytes, code: int) -> None:
    answer = relay.answer(line)
    assert answer is not None
    assert json.loads(answer)["error"]["code"] == code


def test_an_answer_that_comes_back_is_not_answered(relay: Relay) -> None:
    """A line with its echo on would talk to itself for ever."""
    for line in (b"nonsense", b'{"jsonrpc":"2.0","id":1,"method":"echo"}'):
        answer = relay.answer(line)
        assert answer is not None
        assert relay.answer(answer) is None


_REQUEST = st.fixed_dictionaries(
    {},
    optional={
        "jsonrpc": st.just("2.0") | JSON,
        "id": st.integers() | st.text(),
        "method": st.sampled_from(["echo", "hidden"]) | JSON,
        "params": st.dictionaries(st.text(), JSON) | JSON,
    },
)


@given(st.binary(max_size=60) | (_REQUEST | JSON).map(lambda each: json.dumps(each).encode()))
def test_any_line_has_one_answer_or_none_and_opens_nothing(relay: Relay, line: bytes) -> None:
    before = len(ASKED)
    answer = relay.answer(line)
    if answer is not None:
        assert json.loads(answer)["jsonrpc"] == "2.0"
        assert answer.endswith(b"\n")
    if len(ASKED) > before:
        assert json.loads(line)["method"] == "echo"


# -- a card process that is away, ends, hangs, or is full ------------------------------------------


class FakeCard:
    """A card process that does one thing with each request."""

    def __init__(self, folder: Path, act: Callable[[socket.socket, bytes], None]):
        self.path = folder / "fake.sock"
        self.heard: list[bytes] = []
        self._act = act
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self.path))
        self._listener.listen()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                link, _ = self._listener.accept()
                with link, link.makefile("rb") as lines, contextlib.suppress(OSError):
                    self.heard.append(lines.readline())
                    self._act(link, self.heard[-1])

    def __enter__(self) -> FakeCard:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


def outcome_of(told: Any) -> str:
    return str(told["error"]["data"]["outcome"]["name"])


def test_no_terminal_there_is_an_outcome_and_it_is_served_when_it_comes(tmp_path: Path) -> None:
    path = tmp_path / "unit.sock"
    relay = Relay(path, ("echo",), SOON_S)
    for _ in range(3):
        told = ask(relay, "echo")
        assert (told["id"], told["error"]["code"]) == ("q", rpc.TERMINAL_AWAY)
        assert told["error"]["data"]["outcome"]["number"] == 641
    server = RpcServer(path, 0o600, METHODS)
    server.start()
    assert ask(relay, "echo", one=1)["result"] == {"one": 1}
    server.close()
    assert outcome_of(ask(relay, "echo")) == "TERMINAL_AWAY"


@pytest.mark.parametrize("said", [b"", b'{"jsonrpc":"2.0","id":"q","resu', b"x" * (MAX_ANSWER + 2)])
def test_a_terminal_that_ends_in_its_answer_says_ask_again(tmp_path: Path, said: bytes) -> None:
    def end(link: socket.socket, line: bytes) -> None:
        link.sendall(said)

    with FakeCard(tmp_path, end) as fake:
        told = ask(Relay(fake.path, ("echo",), SOON_S), "echo")
    assert (told["id"], told["error"]["code"]) == ("q", rpc.ANSWER_LOST)
    assert told["error"]["data"]["outcome"]["number"] == 642
    assert "same order number" in told["error"]["data"]["outcome"]["en_next"]


def test_a_terminal_that_says_nothing_is_waited_for_so_long_and_no_longer(tmp_path: Path) -> None:
    go = threading.Event()
    with FakeCard(tmp_path, lambda link, line: [None, go.wait(SOON_S)][0]) as fake:
        assert outcome_of(ask(Relay(fake.path, ("echo",), 0.2), "echo")) == "ANSWER_LOST"
        go.set()


def test_a_terminal_whose_connections_are_taken_was_not_asked(tmp_path: Path) -> None:
    path = tmp_path / "unit.sock"
    server = RpcServer(path, 0o600, METHODS)
    server.start()
    others = [socket.socket(socket.AF_UNIX) for _ in range(rpc.MAX_CONNECTIONS)]
    try:
        for each in others:
            each.connect(str(path))
            each.sendall(b'{"jsonrpc":"2.0","id":1,"method":"echo"}\n')
            assert each.recv(4096)
        before = len(ASKED)
        told = ask(Relay(path, ("echo",), SOON_S), "echo")
        assert (told["id"], outcome_of(told)) == ("q", "TERMINAL_AWAY")
        assert len(ASKED) == before
    finally:
        for each in others:
            each.close()
        server.close()


# -- who connects to the unit's socket (SO_PEERCRED) -----------------------------------------------

_ASK = """
import os, socket, sys
user = int(sys.argv[2])
os.setgroups([])
os.setresgid(user, user, user)
os.setresuid(user, user, user)
link = socket.socket(socket.AF_UNIX)
link.connect(sys.argv[1])
for method in ("echo", "hidden"):
    link.sendall(b'{"jsonrpc":"2.0","id":1,"method":"%s"}\\n' % method.encode())
    print(link.recv(65536).decode(), end="")
"""
NOBODY = 65534


@pytest.mark.skipif(os.geteuid() != 0, reason="another user needs root")
def test_another_user_in_the_group_may_ask_what_the_counter_may() -> None:
    """The host process has a user of its own: one that was broken into opens no more than that."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o711)
        path = Path(folder, "unit.sock")
        server = RpcServer(path, 0o660, METHODS, ("echo", "not there"))
        server.start()
        os.chown(path, 0, NOBODY)
        try:
            told = {user: _asked_by(user, path) for user in (0, NOBODY)}
        finally:
            server.close()
    assert ["result" in each for each in told[0]] == [True, True]
    assert ["result" in each for each in told[NOBODY]] == [True, False]
    assert told[NOBODY][1]["error"]["code"] == rpc.NOT_ALLOWED


def _asked_by(user: int, path: Path) -> list[Any]:
    done = subprocess.run(
        [sys.executable, "-S", "-c", _ASK, str(path), str(user)],
        capture_output=True, text=True, timeout=SOON_S, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]
