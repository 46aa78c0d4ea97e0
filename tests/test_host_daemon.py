"""The host process as a process: payments of hosts on the network, and kills in their middle."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import threading
import tty
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from firmware.host.client import AnswerLost, Remote, TlsFiles, Unreachable, call
from tests.host_rig import HostAuthority
from tests.ports import free_port
from tests.test_daemon import DEBIT, Stand, told
from tests.waiting import SOON_S, until

PAYMENT = {"order_no": "A-1", "operator": "07", "amounts": {"account_fen": 1000, "self_fen": 200}}


class Counter(Stand):
    """A unit whose hosts come over the network, with TLS."""

    def __init__(self, folder: Path):
        super().__init__(folder)
        self.authority = HostAuthority(folder / "certificates")
        self.port = free_port()
        certificate, key = self.authority.issue("unit", is_server=True)
        self.board.write_text(
            self.board.read_text() + f'[host.lan]\nlisten = "127.0.0.1:{self.port}"\n'
            f'certificate = "{certificate}"\nkey = "{key}"\nca = "{self.authority.certificate}"\n'
        )
        self.files = TlsFiles(*self.authority.issue("his-1"), self.authority.certificate)
        self.remote = Remote("127.0.0.1", self.port, self.files)

    def start_only(self, name: str) -> subprocess.Popen[str]:
        process = self.start("firmware", "--board", str(self.board), "--only", name)
        if name == "card":
            until(self.answers)
        else:
            until(self._is_open)
        return process

    def _is_open(self) -> bool:
        try:
            return bool(self.ask("status"))
        except (Unreachable, AnswerLost):
            return False

    def ask(self, method: str, **params: Any) -> Any:
        return call(self.remote, method, params, SOON_S)

    def pay(self) -> Asking:
        return Asking(self)


class Asking(threading.Thread):
    """A host that asks for the payment and waits."""

    def __init__(self, counter: Counter):
        super().__init__(daemon=True)
        self._counter = counter
        self._answer: Any = None
        self.start()

    def run(self) -> None:
        try:
            self._answer = self._counter.ask("purchase", **PAYMENT)
        except (Unreachable, AnswerLost) as error:
            self._answer = error

    def answer(self) -> Any:
        self.join(SOON_S + 5.0)
        assert not self.is_alive()
        return self._answer


@pytest.fixture
def counter(tmp_path: Path) -> Iterator[Counter]:
    made = Counter(tmp_path)
    yield made
    made.end()


def hold_at_debit(counter: Counter, when: str) -> Asking:
    """A payment that has begun, and stands still at DEBIT."""
    control = counter.control
    assert control is not None
    counter.shows("READY")
    control.hold(slot="user", ins=DEBIT, when=when)
    control.type_pin(digits="123456")
    paying = counter.pay()
    counter.shows("INSERT_CARD")
    control.insert(slot="user", label="card-1")
    assert control.wait_held(slot="user", timeout_s=SOON_S)
    return paying


def test_a_payment_over_the_network_with_sscterm_and_one_command_runs_it_all(
    counter: Counter,
) -> None:
    control = counter.start_simulator()
    daemon = counter.start_daemon()
    counter.shows("READY")
    until(counter._is_open)
    control.type_pin(digits="123456")
    over = ("--host", f"127.0.0.1:{counter.port}", "--certificate", str(counter.files.certificate),
            "--key", str(counter.files.key), "--ca", str(counter.files.authority))  # fmt: skip
    paying = counter.sscterm("purchase", "A-1", "--account", "10", "--operator", "07", *over)
    counter.shows("INSERT_CARD")
    control.insert(slot="user", label="card-1")
    assert told(paying)["state"] == "DONE"
    assert control.card(label="card-1")["balance_fen"] == 99_000
    assert counter.ask("records")["error"]["code"] == -32601, "the unit's own, not the counter's"
    assert counter.ask("update.lease", seconds=5)["error"]["code"] == -32601
    daemon.send_signal(signal.SIGTERM)
    assert daemon.wait(SOON_S) == 0
    with pytest.raises(Unreachable):
        counter.ask("status")


def test_the_host_process_killed_and_the_payment_goes_on(counter: Counter) -> None:
    """The result is had by asking again with the same order number."""
    control = counter.start_simulator()
    counter.start_only("card")
    relay = counter.start_only("host")
    paying = hold_at_debit(counter, "after")
    relay.kill()
    assert isinstance(paying.answer(), AnswerLost)
    control.release(slot="user")
    counter.start_only("host")
    again = counter.ask("purchase", **PAYMENT)
    assert (again["state"], again["repeated"]) == ("DONE", True)
    assert control.card(label="card-1")["balance_fen"] == 99_000


@pytest.mark.parametrize("when", ["before", "after"])
def test_the_card_process_killed_at_debit_and_started_again(counter: Counter, when: str) -> None:
    """Hosts are told with a number, and served again by themselves; nothing is taken twice."""
    control = counter.start_simulator()
    card = counter.start_only("card")
    relay = counter.start_only("host")
    paying = hold_at_debit(counter, when)
    card.kill()
    card.wait(SOON_S)
    assert paying.answer()["error"]["data"]["outcome"]["number"] == 642
    assert counter.ask("status")["error"]["data"]["outcome"]["number"] == 641
    counter.start_only("card")
    counter.shows("RECOVERY_PIN")
    control.type_pin(digits="123456")
    until(lambda: counter.ask("purchase", **PAYMENT).get("state") in ("DONE", "VOID"))
    again = counter.ask("purchase", **PAYMENT)
    assert again["state"] == ("VOID" if when == "before" else "DONE")
    left_fen = 100_000 if when == "before" else 99_000
    assert control.card(label="card-1")["balance_fen"] == left_fen
    assert relay.poll() is None


def test_a_register_on_a_serial_line_and_no_network(tmp_path: Path) -> None:
    stand = Stand(tmp_path)
    register, terminal = pty.openpty()
    tty.setraw(register)
    stand.board.write_text(
        stand.board.read_text() + f'[host.serial]\ndevice = "{os.ttyname(terminal)}"\n'
    )
    try:
        stand.start_simulator()
        daemon = stand.start_daemon()
        stand.shows("READY")
        heard = threading.Event()
        found = bytearray()

        def hear() -> None:
            while b'"unit": "DAEMON-1"' not in found:
                found.extend(os.read(register, 65_536))
            heard.set()

        threading.Thread(target=hear, daemon=True).start()
        until(lambda: ask_status(register) and heard.wait(0.5))
        daemon.send_signal(signal.SIGTERM)
        assert daemon.wait(SOON_S) == 0
    finally:
        stand.end()
        os.close(register)
        os.close(terminal)


def ask_status(register: int) -> int:
    return os.write(register, b'\n{"jsonrpc":"2.0","id":1,"method":"status"}\n')


def test_without_a_listener_there_is_no_process(tmp_path: Path) -> None:
    stand = Stand(tmp_path)
    try:
        process = stand.start("firmware", "--board", str(stand.board), "--only", "host")
        _, said = process.communicate(timeout=SOON_S)
        assert process.returncode == 0
        assert "nothing to do" in said
    finally:
        stand.end()
