"""A whole terminal, `python -m firmware`, with lamps, keys and the switch of its case on a real
gpiochip: runs inside UML, one daemon for all checks, in this order."""

from __future__ import annotations

import functools
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from firmware.host.sscterm import AnswerLost, Unreachable, call
from firmware.journal import spool
from simulator.client import ControlClient
from simulator.region import Region
from tests.board_text import PAYS
from tests.operator_rig import OFFICE, PASSWORDS, rows, signed
from tests.uml.board import Held, level, until

CARD_LED, ERROR_LED, BUZZER, TAMPER, CONFIRM, CANCEL = 17, 27, 22, 23, 5, 6
SOON_S = 100.0  # reached only when something is broken
BOARD = (
    f"""
[unit]
id = "UML-1"
profile = "development"
region = "510100"
data_dir = "data"
[[reader]]
name = "contact"
address = "sim:/run/unit/sim#user"
kind = "contact"
[psam]
address = "sim:/run/unit/sim#psam"
[pad]
address = "sim:/run/unit/sim#pad"
[office]
public_key = "office.pub"
[pins]
card_led = {CARD_LED}
error_led = {ERROR_LED}
buzzer = {BUZZER}
tamper = {TAMPER}
confirm_key = {CONFIRM}
cancel_key = {CANCEL}
[host]
socket = "/run/unit/socket"
[journal]
min_free_mb = 1
[timing]
card_wait_s = 60
pin_s = 60
"""
    + PAYS
)


class Stand:
    """A simulator and a daemon on /run, which is memory and ends with this kernel."""

    def __init__(self) -> None:
        self.folder = Path("/run/unit")
        (self.folder / "data").mkdir(parents=True)
        region = Region("510100")
        self.card = region.issue_card(1, balance_fen=100_000).label
        region.issue_psam(terminal_number="510100000001")
        region.save(self.folder / "region.json")
        (self.folder / "office.pub").write_text(OFFICE.public_key.hex())
        (self.folder / "board.toml").write_text(BOARD)
        path = spool.signed_file_path(self.folder / "data", "operators")
        path.parent.mkdir(parents=True, exist_ok=True)
        spool.write_atomic(path, signed(1, rows()))
        self.case = Held(BUZZER, pin23=False, pin5=True, pin6=True)
        sim = str(self.folder / "sim")
        served = self.start("simulator", "serve", "--state", f"{self.folder}/region.json",
                            "--socket", sim)  # fmt: skip
        assert served.stdout is not None
        assert served.stdout.readline().startswith("ready")
        self.control = ControlClient(sim)
        self.control.insert(slot="psam", label="psam-510100000001")
        self.start_daemon()

    def start(self, *argv: str) -> subprocess.Popen[str]:
        log = open(self.folder / f"{argv[0]}.log", "a")  # noqa: SIM115 - the process keeps it
        out = subprocess.PIPE if argv[0] == "simulator" else log
        return subprocess.Popen([sys.executable, "-m", *argv], stdout=out, stderr=log, text=True)

    def start_daemon(self) -> None:
        board = str(self.folder / "board.toml")
        self.daemon = self.start("firmware", "--board", board, "--only", "card")
        assert until(self.answers, SOON_S, 0.1), self.log()

    def log(self) -> str:
        return (self.folder / "firmware.log").read_text()[-2000:]

    def answers(self) -> bool:
        try:
            return self.ask("status")["state"] not in ("starting",)
        except (Unreachable, AnswerLost):
            return False

    def ask(self, method: str, **params: Any) -> Any:
        return call(self.folder / "socket", method, params, SOON_S)

    def shows(self, message_id: str) -> bool:
        return until(lambda: self.ask("status")["display"]["id"] == message_id, SOON_S, 0.05)

    def pay(self, order_no: str) -> Callable[[], str]:
        """In a thread; what is returned waits for its outcome."""
        told: list[Any] = []

        def act() -> None:
            amounts = {"account_fen": 1000}
            told.append(self.ask("purchase", order_no=order_no, operator="07", amounts=amounts))

        thread = threading.Thread(target=act, daemon=True)
        thread.start()

        def outcome() -> str:
            thread.join(SOON_S)
            assert told, "no answer"
            return str(told[0]["outcome"]["name"])

        return outcome

    def tampers(self) -> list[dict[str, Any]]:
        found = self.ask("records", limit=200)["records"]
        return [each["body"] for each in found if each["kind"] == "TAMPER"]


@functools.cache
def stand() -> Stand:
    return Stand()


def check_a_shut_case_is_ready() -> str:
    unit = stand()
    assert unit.shows("READY"), unit.log()
    assert unit.ask("status")["case"] == "shut"
    assert (level(CARD_LED), level(ERROR_LED)) == (0, 0)
    return "python -m firmware"


def check_the_card_lamp_is_lit_while_the_card_must_stay() -> None:
    unit = stand()
    outcome = unit.pay("A-1")
    assert unit.shows("INSERT_CARD")
    assert until(lambda: level(CARD_LED) == 1), "it blinks"
    assert until(lambda: level(CARD_LED) == 0), "it blinks"
    unit.control.insert(slot="user", label=unit.card)
    assert unit.shows("ENTER_PIN")
    assert until(lambda: level(CARD_LED) == 1)
    unit.control.type_pin(digits="123456")
    assert outcome() == "APPROVED"
    assert until(lambda: level(CARD_LED) == 0)
    unit.control.remove(slot="user")
    assert unit.shows("READY")


def check_the_cancel_key_ends_the_wait_for_a_card() -> None:
    unit = stand()
    outcome = unit.pay("A-2")
    assert unit.shows("INSERT_CARD")
    unit.case.set(CANCEL, False)
    assert outcome() == "CANCELLED"
    unit.case.set(CANCEL, True)
    assert unit.shows("READY")


def check_the_confirm_key_cancels_nothing() -> None:
    unit = stand()
    outcome = unit.pay("A-3")
    assert unit.shows("INSERT_CARD")
    unit.case.set(CONFIRM, False)
    unit.control.insert(slot="user", label=unit.card)
    unit.case.set(CONFIRM, True)
    assert unit.shows("ENTER_PIN")
    unit.control.type_pin(digits="123456")
    assert outcome() == "APPROVED"
    unit.control.remove(slot="user")
    assert unit.shows("READY")


def check_the_buzzer_sounds_and_is_silent_again() -> None:
    unit = stand()
    unit.case.listen()
    outcome = unit.pay("A-4")
    assert unit.shows("INSERT_CARD")
    assert until(unit.case.has_heard)
    unit.ask("cancel")
    assert outcome() == "CANCELLED"
    assert unit.shows("READY")
    assert until(lambda: not any(level(BUZZER) for _ in range(200)))


def check_an_opened_case_stops_the_unit() -> str:
    unit = stand()
    unit.case.set(TAMPER, True)
    assert unit.shows("TAMPERED"), unit.log()
    unit.case.set(TAMPER, False)
    assert until(lambda: level(ERROR_LED) == 1)
    assert unit.pay("A-5")() == "TAMPERED"
    (found,) = unit.tampers()
    return f"journaled: {found}"


def check_it_holds_over_a_restart() -> None:
    unit = stand()
    unit.daemon.kill()
    unit.daemon.wait(SOON_S)
    unit.start_daemon()
    assert unit.shows("TAMPERED"), unit.log()
    assert until(lambda: level(ERROR_LED) == 1)
    assert len(unit.tampers()) == 1, "shut again: no second opening"


def check_a_technician_clears_it_and_it_pays() -> str:
    unit = stand()

    def clear() -> str:
        return str(unit.ask("tamper.clear", operator="ann")["outcome"]["name"])

    logged_on = unit.ask("operator.logon", code="ann", password=PASSWORDS["ann"])
    assert logged_on["outcome"]["name"] == "SERVED", logged_on
    unit.case.set(TAMPER, True)
    assert until(lambda: level(TAMPER) == 1)
    time.sleep(1)  # twenty times what an open case takes to count
    assert clear() == "TAMPERED"
    unit.case.set(TAMPER, False)
    assert until(lambda: clear() == "SERVED")
    assert unit.shows("READY")
    assert until(lambda: level(ERROR_LED) == 0)
    outcome = unit.pay("A-6")
    assert unit.shows("INSERT_CARD")
    unit.control.insert(slot="user", label=unit.card)
    unit.control.type_pin(digits="123456")
    assert outcome() == "APPROVED"
    unit.control.remove(slot="user")
    return f"{[each['detail'] for each in unit.tampers()]}"


def check_the_end_leaves_the_lamps_dark() -> None:
    unit = stand()
    unit.daemon.terminate()
    assert unit.daemon.wait(SOON_S) == 0, unit.log()
    assert (level(CARD_LED), level(ERROR_LED), level(BUZZER)) == (0, 0, 0)


def check_a_technician_is_told_what_the_pins_do() -> str:
    """`--check`, once the daemon has ended."""
    unit = stand()
    unit.case.set(TAMPER, True)
    unit.case.set(CONFIRM, False)
    held = "confirm_key is held down, the case is open"
    row = ""
    for _ in range(3):  # a busy machine may let the world hold its switches too late
        row = _pins_row(unit.folder / "board.toml")
        if held in row:
            break
    assert "ok " in row, row
    assert held in row, row
    assert "card_led and error_led and buzzer on for 0.4 s" in row, row
    return " ".join(row.split())


def _pins_row(board: Path) -> str:
    told = subprocess.run(
        [sys.executable, "-m", "firmware", "--check", "--board", str(board)],
        capture_output=True,
        text=True,
        timeout=SOON_S,
        check=False,
    ).stdout
    (row,) = [line for line in told.splitlines() if " pins " in line]
    return row
