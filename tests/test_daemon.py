"""The daemon as a process: start, payment, SIGTERM, kill -9, missing devices (issue, section 8)."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from firmware.clock import Clock
from firmware.host.sscterm import AnswerLost, Unreachable, call
from firmware.journal.devicekey import DeviceKey
from firmware.journal.store import Journal
from simulator.client import ControlClient
from simulator.region import Region
from tests.board_text import PAYS
from tests.ports import free_port
from tests.waiting import SOON_S, until

DEBIT = 0x2C

BOARD = (
    """
[unit]
id = "DAEMON-1"
profile = "development"
region = "510100"
data_dir = "data"
[[reader]]
name = "contact"
address = "{reader}"
kind = "contact"
[psam]
address = "sim:{folder}/sim#psam"
[pad]
address = "sim:{folder}/sim#pad"
[host]
socket = "{folder}/unit"
[uplink]
seal_after_s = 0.2
[uplink.http]
listen = "127.0.0.1:{port}"
[journal]
min_free_mb = 1
[timing]
exchange_s = 60
card_wait_s = 60
pin_s = 60
removal_s = 10
"""
    + PAYS
)


class Stand:
    """A folder with a board, a simulator process and daemons; all ended with the test."""

    def __init__(self, folder: Path, reader: str = ""):
        self.folder = folder
        self.socket = folder / "unit"
        self._started: list[subprocess.Popen[str]] = []
        self.control: ControlClient | None = None
        region = Region("510100")
        region.issue_card(1, balance_fen=100_000)
        region.issue_psam(terminal_number="510100000001")
        region.save(folder / "region.json")
        self.board = folder / "board.toml"
        reader = reader or f"sim:{folder}/sim#user"
        self.board.write_text(BOARD.format(folder=folder, reader=reader, port=free_port()))

    def start(self, *argv: str, **how: Any) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", *argv],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **how,
        )
        self._started.append(process)
        return process

    def start_simulator(self) -> ControlClient:
        state = ("--state", str(self.folder / "region.json"))
        process = self.start("simulator", "serve", *state, "--socket", str(self.folder / "sim"))
        assert process.stdout is not None
        assert process.stdout.readline().startswith("ready")
        self.control = ControlClient(str(self.folder / "sim"))
        self.control.insert(slot="psam", label="psam-510100000001")
        return self.control

    def start_daemon(self) -> subprocess.Popen[str]:
        """In a session of its own, so that its child can be found."""
        process = self.start("firmware", "--board", str(self.board), start_new_session=True)
        until(lambda: self.answers() and self.status()["state"] not in ("starting",))
        return process

    def answers(self) -> bool:
        with contextlib.suppress(Unreachable, AnswerLost):
            return bool(self.status())
        return False

    def status(self) -> dict[str, Any]:
        return call(self.socket, "status", {}, SOON_S)

    def shows(self, message_id: str) -> None:
        until(lambda: self.status()["display"]["id"] == message_id)

    def sscterm(self, *argv: str) -> subprocess.Popen[str]:
        return self.start("firmware.host.sscterm", *argv, "--socket", str(self.socket), "--json")

    def journal(self) -> list[str]:
        """The kinds of its records, every signature and link verified."""
        data = self.folder / "data"
        journal = Journal.open(
            data / "journal.db",
            signer=DeviceKey.load_or_create(data / "device.key"),
            unit="DAEMON-1",
            profile=1,
            clock=Clock(has_rtc=True, trust_h=1),
        )
        records = journal.records(0, 1000)
        assert [each.number for each in records] == list(range(1, len(records) + 1))
        assert journal.damaged_ranges() == []
        for one, two in pairwise(records):
            assert two.previous == one.digest
        journal.close()
        return [each.kind_name for each in records]

    def end(self) -> None:
        if self.control is not None:
            self.control.close()
        for process in self._started:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            process.communicate()


@pytest.fixture
def stand(tmp_path: Path) -> Iterator[Stand]:
    made = Stand(tmp_path)
    yield made
    made.end()


def purchase(stand: Stand, order_no: str = "A-1") -> subprocess.Popen[str]:
    amounts = ("--account", "10.00", "--self", "2", "--pooled", "3.5")
    return stand.sscterm("purchase", order_no, *amounts, "--operator", "07")


def told(process: subprocess.Popen[str], status: int = 0) -> dict[str, Any]:
    out, err = process.communicate(timeout=SOON_S)
    assert process.returncode == status, err
    found: dict[str, Any] = json.loads(out)
    return found


def test_a_payment_with_sigterm_in_its_middle_ends_whole(stand: Stand) -> None:
    """`sscterm status --json` answers meanwhile; exit 0 only between two commands."""
    control = stand.start_simulator()
    daemon = stand.start_daemon()
    stand.shows("READY")
    control.hold(slot="user", ins=DEBIT, when="after")
    control.type_pin(digits="123456")
    paying = purchase(stand)
    stand.shows("INSERT_CARD")
    control.insert(slot="user", label="card-1")
    assert control.wait_held(slot="user", timeout_s=SOON_S)
    status = told(stand.sscterm("status"))
    assert (status["state"], status["card_present"]) == ("serving", True)
    assert len(status["journal"]["open_intents"]) == 1
    daemon.send_signal(signal.SIGTERM)
    time.sleep(0.3)
    assert daemon.poll() is None, "not in the middle of a command"
    control.release(slot="user")
    assert told(paying)["state"] == "DONE", "the host has its answer before the end"
    assert daemon.wait(SOON_S) == 0
    assert not stand.socket.exists()
    assert control.card(label="card-1")["balance_fen"] == 99_000
    kinds = stand.journal()
    assert [each for each in kinds if each != "PSAM_SEEN"] == ["START", "INTENT", "DONE", "TOTALS"]


def test_kill_9_between_intent_and_debit_then_a_restart(stand: Stand) -> None:
    """The uplink child ends too; nothing was taken, and the order says so."""
    control = stand.start_simulator()
    daemon = stand.start_daemon()
    key = stand.folder / "data" / "device.key"
    enrolment = (stand.folder / "data" / "enrolment.cose").read_bytes()
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert stat.S_IMODE(stand.socket.stat().st_mode) == 0o660
    control.hold(slot="user", ins=DEBIT, when="before")
    control.type_pin(digits="123456")
    paying = purchase(stand)
    stand.shows("INSERT_CARD")
    control.insert(slot="user", label="card-1")
    assert control.wait_held(slot="user", timeout_s=SOON_S)
    daemon.kill()
    daemon.wait(SOON_S)
    _, said = paying.communicate(timeout=SOON_S)
    assert paying.returncode == 4, "whether it was taken is not known"
    assert "same order number" in said
    until(lambda: is_gone(daemon.pid))

    again = stand.start_daemon()
    stand.shows("RECOVERY_PIN")
    control.type_pin(digits="123456")
    stand.shows("NOT_TAKEN")
    repeated = told(purchase(stand), 1)
    assert (repeated["state"], repeated["repeated"]) == ("VOID", True)
    assert control.card(label="card-1")["balance_fen"] == 100_000
    again.send_signal(signal.SIGTERM)
    assert again.wait(SOON_S) == 0
    assert (stand.folder / "data" / "enrolment.cose").read_bytes() == enrolment
    assert [each for each in stand.journal() if each != "PSAM_SEEN"] == [
        "START", "INTENT", "START", "VOID",
    ]  # fmt: skip


def is_gone(session: int) -> bool:
    """No process of that session is left."""
    try:
        os.killpg(session, 0)
    except ProcessLookupError:
        return True
    return False


def test_without_a_simulator_it_starts_and_recovers_when_it_comes(stand: Stand) -> None:
    daemon = stand.start_daemon()
    stand.shows("READER_MISSING")
    assert stand.status()["psam"] is None
    control = stand.start_simulator()
    stand.shows("READY")
    control.type_pin(digits="123456")
    paying = purchase(stand)
    stand.shows("INSERT_CARD")
    control.insert(slot="user", label="card-1")
    assert told(paying)["state"] == "DONE"
    daemon.send_signal(signal.SIGTERM)
    assert daemon.wait(SOON_S) == 0


def test_without_its_pcsc_reader_it_starts_too(tmp_path: Path) -> None:
    stand = Stand(tmp_path, reader="pcsc:No such reader *")
    try:
        stand.start_simulator()
        daemon = stand.start_daemon()
        stand.shows("READER_MISSING")
        assert told(purchase(stand), 1)["outcome"]["number"] == 603
        daemon.send_signal(signal.SIGTERM)
        assert daemon.wait(SOON_S) == 0
    finally:
        stand.end()


def test_what_the_unit_writes_is_its_own(stand: Stand) -> None:
    """The journal holds card numbers: nobody else reads it; a group reaches the socket."""
    stand.start_simulator()
    daemon = stand.start_daemon()
    stand.shows("READY")
    data = stand.board.parent / "data"
    modes = {path.name: path.stat().st_mode & 0o777 for path in (data, *data.iterdir())}
    assert modes.pop("data") == 0o710
    assert stand.socket.stat().st_mode & 0o777 == 0o660
    assert {mode & 0o077 for mode in modes.values()} == {0}
    daemon.send_signal(signal.SIGTERM)
    assert daemon.wait(SOON_S) == 0


def test_a_second_daemon_in_the_same_folder_is_refused_and_harms_nothing(stand: Stand) -> None:
    """One writer for each file: it would break the journal of the first."""
    control = stand.start_simulator()
    daemon = stand.start_daemon()
    stand.shows("READY")
    second = stand.start("firmware", "--board", str(stand.board))
    _, said = second.communicate(timeout=SOON_S)
    assert second.returncode == 1
    assert "609 ALREADY_RUNNING" in said
    assert "stop it first" in said
    control.type_pin(digits="123456")
    paying = purchase(stand)
    stand.shows("INSERT_CARD")
    control.insert(slot="user", label="card-1")
    assert told(paying)["state"] == "DONE"
    daemon.send_signal(signal.SIGTERM)
    assert daemon.wait(SOON_S) == 0
    assert stand.journal().count("START") == 1
