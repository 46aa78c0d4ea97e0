"""Issue 6.8: the terminal under a real systemd, with the unit files of docs/operate.md."""

from __future__ import annotations

import os
import re
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import systemd_rig
from tests.systemd_rig import SystemdRig
from tests.test_daemon import Stand
from tests.waiting import until

REASON = systemd_rig.missing()
pytestmark = [
    pytest.mark.skipif(REASON is not None, reason=REASON or ""),
]
ROOT = Path(__file__).resolve().parents[1]
CARD, UPLINK = "sscterm-card.service", "sscterm-uplink.service"
WATCHDOG_S = 6  # a busy machine may keep a loop waiting for a second or two


def documented(name: str) -> str:
    """The unit file of that name, as docs/operate.md prints it."""
    page = (ROOT / "docs" / "operate.md").read_text()
    (found,) = re.findall(
        rf"(?ms)^```ini\n# /etc/systemd/system/{re.escape(name)}\n(.*?)^```", page
    )
    return found


def here(text: str, board: Path) -> str:
    """For this machine: paths, this user, and a watchdog that a test can wait for."""
    changes = {
        "/opt/sscterm/.venv/bin/python": sys.executable,
        "/etc/sscterm/board.toml": str(board),
        "WorkingDirectory=/etc/sscterm": f"WorkingDirectory={ROOT}",
        "User=sscterm\n": "",
        "WatchdogSec=60": f"WatchdogSec={WATCHDOG_S}",
        "RestartSec=2": "RestartSec=0.2",
    }
    for old, new in changes.items():
        assert old in text, old
        text = text.replace(old, new)
    return text


class Service(Stand):
    def __init__(self, folder: Path):
        super().__init__(folder)
        (folder / "systemd").mkdir()
        self.systemd = SystemdRig(folder / "systemd")
        for name in (CARD, UPLINK):
            self.systemd.write(name, here(documented(name), self.board))
        self.start_simulator()

    def pid(self, unit: str) -> int:
        """Of a process that runs: 0 would name our own group to kill()."""
        return until(lambda: int(self.systemd.show(unit, "MainPID")), lambda: f"no {unit}")

    def restarts(self, unit: str) -> int:
        return int(self.systemd.show(unit, "NRestarts"))

    def says(self, unit: str, status: str) -> None:
        until(
            lambda: self.systemd.show(unit, "StatusText") == status,
            lambda: f"{status}; {self.systemd.control('status', unit).stdout}",
        )

    def end(self) -> None:
        self.systemd.stop()
        super().end()


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    made = Service(tmp_path)
    yield made
    made.end()


@pytest.mark.parametrize("name", [CARD, UPLINK])
def test_systemd_knows_every_word_of_the_unit_files(tmp_path: Path, name: str) -> None:
    text = here(documented(name), tmp_path / "board.toml").replace("pcscd.socket", "")
    (tmp_path / name).write_text(text)
    assert systemd_rig.complaints(tmp_path / name) == []
    (tmp_path / name).write_text(text.replace("RestartSec", "RestartSecond"))
    (told,) = systemd_rig.complaints(tmp_path / name)
    assert "RestartSecond" in told


def test_both_services_start_say_what_they_do_and_stop(service: Service) -> None:
    systemd = service.systemd
    assert systemd.control("start", CARD, UPLINK).returncode == 0  # returns after READY=1
    assert systemd.show(CARD, "ActiveState") == systemd.show(UPLINK, "ActiveState") == "active"
    service.says(CARD, "READY")
    limits = Path(f"/proc/{service.pid(CARD)}/limits").read_text()
    assert re.search(r"Max core file size +0 +0 ", limits)  # a dump would hold a PIN
    assert service.control is not None
    service.control.insert(slot="user", label="card-1")
    service.says(CARD, "CARD_READ")  # not whose it is
    service.control.remove(slot="user")
    service.says(CARD, "READY")

    assert systemd.control("stop", CARD, UPLINK).returncode == 0
    for name in (CARD, UPLINK):
        assert systemd.show(name, "Result") == "success"
        assert systemd.show(name, "NRestarts") == "0"


def test_a_loop_that_turns_outlives_the_watchdog_and_one_that_is_stuck_does_not(
    service: Service,
) -> None:
    """Stuck in its driver: the simulator behind `sim:` is stopped while it is asked."""
    systemd = service.systemd
    assert systemd.control("start", CARD).returncode == 0
    service.says(CARD, "READY")
    first = service.pid(CARD)
    time.sleep(WATCHDOG_S + 1)
    assert systemd.show(CARD, "NRestarts") == "0"
    simulator = service._started[0]

    os.kill(simulator.pid, signal.SIGSTOP)
    try:
        until(lambda: service.restarts(CARD) > 0)
    finally:
        os.kill(simulator.pid, signal.SIGCONT)

    until(lambda: systemd.show(CARD, "ActiveState") == "active")
    service.says(CARD, "READY")
    assert service.pid(CARD) != first


def test_an_uplink_process_that_stands_still_is_restarted(service: Service) -> None:
    systemd = service.systemd
    assert systemd.control("start", CARD, UPLINK).returncode == 0
    first, before = service.pid(UPLINK), service.restarts(UPLINK)
    os.kill(first, signal.SIGSTOP)
    until(lambda: service.restarts(UPLINK) > before)
    assert service.pid(UPLINK) != first
    until(lambda: systemd.show(UPLINK, "ActiveState") == "active")
