"""M4: operators log on and act in pairs from a command line; no password stands in it."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from firmware.authorize.services import SERVICES
from firmware.host.rpc import RpcServer
from firmware.host.sscterm import EXIT_OK, main

PAIR = ("--operator", "ann", "--second", "bob")
SEEN = ("--id-kind", "citizen", "--id-tail", "123X")
SECRET = "test password of Ann"
CALLS = [
    (("operator", "logon", "ann"), "operator.logon"),
    (("operator", "logoff", "ann"), "operator.logoff"),
    (("pin", "unblock", *PAIR, *SEEN), "pin.unblock"),
    (("pin", "reload", *PAIR, *SEEN), "pin.reload"),
    (("card", "block", *PAIR), "card.block"),
    (("application", "block", "DF04", *PAIR), "application.block"),
]


class Terminal:
    def __init__(self, path: Path):
        self.path = path
        self.asked: list[tuple[str, dict[str, Any]]] = []
        methods = {name: self._method(name) for _, name in CALLS}
        self._server = RpcServer(path, 0o600, methods)
        self._server.start()
        self.close = self._server.close

    def _method(self, name: str) -> Any:
        def asked(**params: Any) -> dict[str, Any]:
            self.asked.append((name, params))
            return {"outcome": {"number": 9, "name": "SERVED", "actor": "clerk"}}

        return asked


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    made = Terminal(tmp_path / "unit.sock")
    yield made
    made.close()


@pytest.mark.parametrize(("argv", "method"), CALLS, ids=[name for _, name in CALLS])
def test_m4_each_command_asks_what_its_service_takes(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, argv: tuple[str, ...], method: str
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(SECRET + "\n"))
    assert main([*argv, "--socket", str(terminal.path), "--json"]) == EXIT_OK
    ((asked, params),) = terminal.asked
    assert asked == method
    SERVICES[method].check(params)
    if method == "operator.logon":
        assert params == {"code": "ann", "password": SECRET}


@pytest.mark.parametrize("argv", [each for each, _ in CALLS[2:]])
def test_one_person_alone_is_a_usage_error(terminal: Terminal, argv: tuple[str, ...]) -> None:
    alone = [each for each in argv if each not in ("--second", "bob")]
    with pytest.raises(SystemExit) as ended:
        main([*alone, "--socket", str(terminal.path)])
    assert ended.value.code == 2
    assert terminal.asked == []
