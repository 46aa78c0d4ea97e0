"""`sscterm`: amounts in yuan, one JSON object, an exit status a script can trust."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from firmware.host import sscterm
from firmware.host.rpc import RpcError, RpcServer
from firmware.host.sscterm import AnswerLost, Unreachable, call, main
from firmware.outcome import outcome
from tests.waiting import SOON_S

PAY = ("purchase", "A-1", "--operator", "07")


class FakeTerminal:
    """Answers what a test wants, and keeps what it was asked."""

    def __init__(self, path: Path):
        self.path = path
        self.asked: list[dict[str, Any]] = []
        self.answer: dict[str, Any] | RpcError = {}
        methods = dict.fromkeys(
            ("purchase", "pin.change", "pin.remove", "receipt.print"), self._purchase
        )
        self._server = RpcServer(path, 0o600, {**methods, "status": self._status})
        self._server.start()

    def _purchase(self, **params: Any) -> dict[str, Any]:
        self.asked.append(params)
        if isinstance(self.answer, RpcError):
            raise self.answer
        return self.answer

    def _status(self) -> dict[str, Any]:
        return {"state": "idle", "journal": {"records": 7}}

    def close(self) -> None:
        self._server.close()


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[FakeTerminal]:
    fake = FakeTerminal(tmp_path / "unit.sock")
    yield fake
    fake.close()


def told(name: str) -> dict[str, Any]:
    found = outcome(name)
    return {"outcome": {"number": found.number, "name": name, "actor": found.actor}}


def run(terminal: FakeTerminal, *argv: str) -> int:
    return main([*argv, "--socket", str(terminal.path), "--json"])


AMOUNTS = [
    ("12.34", 1234), ("12.3", 1230), ("12", 1200), ("0.01", 1), ("0", 0), ("00.10", 10),
    ("99999999.99", 9_999_999_999),
]  # fmt: skip


@pytest.mark.parametrize(("yuan", "fen"), AMOUNTS)
def test_yuan_become_fen_without_a_rounding(terminal: FakeTerminal, yuan: str, fen: int) -> None:
    terminal.answer = told("APPROVED")
    assert run(terminal, *PAY, "--account", yuan) == sscterm.EXIT_OK
    assert terminal.asked[0]["amounts"] == {"account_fen": fen, "self_fen": 0, "pooled_fen": 0}


@pytest.mark.parametrize("act", ["change", "remove"])
def test_m1_a_pin_is_changed_from_a_command_line(terminal: FakeTerminal, act: str) -> None:
    """It never travels that way: only who asked does."""
    terminal.answer = told("SERVED")
    assert run(terminal, "pin", act, "--operator", "07") == sscterm.EXIT_OK
    terminal.answer = told("PIN_CHANGE_UNCERTAIN")
    assert run(terminal, "pin", act) == sscterm.EXIT_NOT_TAKEN
    assert terminal.asked[0] == {"operator": "07"}
    assert terminal.asked[1].keys() == {"operator"}


WRONG = ["", "-1", "1.234", "1,5", "abc", "NaN", "Infinity", "1e5", "1e999999999", "1.", ".5",
         "１２", "123456789"]  # fmt: skip


@pytest.mark.parametrize("yuan", WRONG)
def test_what_is_no_amount_is_not_sent(terminal: FakeTerminal, capsys: Any, yuan: str) -> None:
    assert run(terminal, *PAY, f"--account={yuan}") == sscterm.EXIT_USAGE
    assert terminal.asked == []
    assert "as in 12.34" in capsys.readouterr().err


STATUS = [
    ("APPROVED", 0), ("APPROVED_FOUND_LATER", 0), ("APPROVED_UNCHECKED", 0), ("SERVED", 0),
    ("NO_CARD", 1), ("PIN_WRONG", 1), ("NOT_TAKEN", 1), ("DISK_FULL", 1), ("BUSY", 1),
    ("PUT_CARD_BACK", 4), ("PAYMENT_UNCERTAIN", 4), ("PAYMENT_SUSPECT", 4), ("UNIT_FAULT", 4),
    ("JOURNAL_DAMAGED", 4),
]  # fmt: skip


@pytest.mark.parametrize(("name", "status"), STATUS)
@pytest.mark.parametrize("as_error", [False, True])
def test_the_exit_status_never_calls_an_open_payment_not_taken(
    terminal: FakeTerminal, name: str, status: int, as_error: bool
) -> None:
    answer = told(name)
    terminal.answer = RpcError(-32001, "refused", answer) if as_error else answer
    assert run(terminal, *PAY, "--account", "1") == status


def test_json_is_one_object_and_the_other_form_is_for_people(
    terminal: FakeTerminal, capsys: Any
) -> None:
    assert run(terminal, "status") == 0
    assert json.loads(capsys.readouterr().out)["journal"] == {"records": 7}
    assert main(["status", "--socket", str(terminal.path)]) == 0
    assert "records" in capsys.readouterr().out
    terminal.answer = RpcError(-32001, "an order of other amounts", told("ORDER_MISMATCH"))
    assert main([*PAY, "--socket", str(terminal.path), "--account", "1"]) == 1
    assert "ORDER_MISMATCH" in capsys.readouterr().out


def test_no_terminal_is_told_with_what_to_do(tmp_path: Path, capsys: Any) -> None:
    assert main(["status", "--socket", str(tmp_path / "none")]) == sscterm.EXIT_UNREACHABLE
    assert "python -m firmware" in capsys.readouterr().err
    with pytest.raises(Unreachable):
        call(tmp_path / "none", "status", {})


def test_a_wrong_board_is_a_usage_error(tmp_path: Path, capsys: Any) -> None:
    assert main(["status", "--board", str(tmp_path / "none.toml")]) == sscterm.EXIT_USAGE
    assert "none.toml" in capsys.readouterr().err


@pytest.mark.parametrize("said", [b"", b"garbage\n"])
def test_a_lost_answer_is_not_an_absent_terminal(tmp_path: Path, said: bytes) -> None:
    """The payment may be under way: whoever hears "nobody there" would charge elsewhere."""
    path = tmp_path / "dying.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()

        def die() -> None:
            link, _ = listener.accept()
            with link:
                link.recv(4096)
                link.sendall(said)

        thread = threading.Thread(target=die)
        thread.start()
        with pytest.raises(AnswerLost, match="same order number"):
            call(path, "purchase", {}, timeout_s=SOON_S)
        thread.join(SOON_S)


def test_a_terminal_that_does_not_answer_in_time(tmp_path: Path) -> None:
    path = tmp_path / "slow.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        with pytest.raises(AnswerLost):
            call(path, "purchase", {}, timeout_s=0.05)


@pytest.mark.parametrize(
    ("name", "status"), [("SERVED", 0), ("PRINTER_NOT_READY", 1), ("NO_RECEIPT", 1)]
)
def test_a_receipt_is_asked_for_by_its_order(
    terminal: FakeTerminal, name: str, status: int
) -> None:
    terminal.answer = told(name)
    assert run(terminal, "receipt", "A-1", "--operator", "07") == status
    assert terminal.asked == [{"order_no": "A-1", "operator": "07"}]
