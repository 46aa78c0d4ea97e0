"""Issue 6.8: systemd is told what the process does, and nothing while its loop is stuck."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from queue import SimpleQueue

import pytest

from firmware import supervise
from firmware.authorize.inbox import Inbox
from firmware.board_sections import Uplink
from firmware.display.screen import Display
from firmware.outcome import TransportError
from firmware.supervise import Supervisor, from_environment
from firmware.terminal import Terminal
from firmware.uplink import process as uplink
from tests.loop_rig import Loop, with_psam
from tests.waiting import SOON_S, until

ALIVE = "WATCHDOG=1"


class Listener:
    """A notify socket, as systemd opens one; path: of a file, or "@name" for an abstract one."""

    def __init__(self, path: str, listens: bool = True):
        self.path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind("\0" + path[1:] if path[0] == "@" else path)
        self._lines: SimpleQueue[str] = SimpleQueue()
        self._thread = threading.Thread(target=self._listen, daemon=True)
        if listens:
            self._thread.start()

    def _listen(self) -> None:
        """At once: the kernel keeps ten datagrams for a reader that is late."""
        while (line := self._socket.recv(4096)) != b"end":
            self._lines.put(line.decode())

    def heard(self) -> list[str]:
        """Since the last call."""
        if self._thread.is_alive():
            self._tell(b"STATUS=mark")
        found: list[str] = []
        while not found or found[-1] != "STATUS=mark":
            found.append(self._lines.get(timeout=SOON_S))
        return found[:-1]

    def _tell(self, line: bytes) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as own:
            own.sendto(line, "\0" + self.path[1:] if self.path[0] == "@" else self.path)

    def close(self) -> None:
        if self._thread.is_alive():
            self._tell(b"end")
            self._thread.join(SOON_S)
        self._socket.close()


@pytest.fixture(params=["file", "abstract"])
def listener(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Listener]:
    name = str(tmp_path / "notify") if request.param == "file" else f"@ssc-test-{os.getpid()}"
    made = Listener(name)
    yield made
    made.close()


@pytest.fixture
def ear(tmp_path: Path) -> Iterator[Listener]:
    made = Listener(str(tmp_path / "notify"))
    yield made
    made.close()


def test_the_lines_are_those_of_sd_notify(listener: Listener) -> None:
    supervisor = Supervisor(listener.path)
    supervisor.ready()
    supervisor.status("idle\nREADY")
    supervisor.status("idle\nREADY")
    supervisor.beat()  # systemd asked for no sign of life
    supervisor.stopping()
    assert listener.heard() == ["READY=1", "STATUS=idle READY", "STOPPING=1"]


def test_signs_of_life_come_three_times_in_what_systemd_allows(ear: Listener) -> None:
    now = [100.0]
    supervisor = Supervisor(ear.path, 9.0, lambda: now[0])
    for _ in range(90):  # 9 s of a loop that turns each 0.1 s
        supervisor.beat()
        now[0] += 0.1
    assert ear.heard() == [ALIVE] * 3


@pytest.mark.parametrize(
    ("usec", "pid", "allowed"),
    [
        ("30000000", "", 30.0),
        ("30000000", "own", 30.0),
        ("30000000", "1", None),  # meant for another process
        ("0", "", None),
        ("x", "", None),
        ("-1", "", None),
        ("²", "", None),
        ("", "", None),
    ],
)
def test_what_systemd_says_is_read_once_and_taken_away(
    ear: Listener, usec: str, pid: str, allowed: float | None
) -> None:
    pid = str(os.getpid()) if pid == "own" else pid
    environment = {"NOTIFY_SOCKET": ear.path, "WATCHDOG_USEC": usec, "WATCHDOG_PID": pid, "A": "b"}
    supervisor = from_environment(environment)
    assert supervisor.allowed_s == allowed
    assert environment == {"A": "b"}  # a child would speak for us
    supervisor.ready()
    assert ear.heard() == ["READY=1"]


@pytest.mark.parametrize("address", [None, "/nowhere/notify", "vsock:2:1", "@ssc-nobody-listens"])
def test_where_nobody_listens_nothing_happens(address: str | None) -> None:
    supervisor = Supervisor(address, 1.0)
    for act in (supervisor.ready, supervisor.beat, supervisor.stopping):
        act()
    supervisor.status("idle")


def test_one_that_does_not_read_makes_nobody_wait_but_at_start_and_end(tmp_path: Path) -> None:
    deaf = Listener(str(tmp_path / "deaf"), listens=False)
    supervisor = Supervisor(deaf.path)
    start = time.monotonic()
    for number in range(5_000):
        supervisor.status(f"idle {number}")
    assert time.monotonic() - start < SOON_S / 2
    start = time.monotonic()
    supervisor.ready()
    assert 0.9 < time.monotonic() - start < SOON_S / 2
    deaf.close()


def test_the_status_says_what_the_screen_says_and_names_nobody(ear: Listener) -> None:
    display = Display([Supervisor(ear.path)])
    display.show("READER_MISSING")
    display.show("CARD_READ", name="王五")
    display.show("READY")
    assert ear.heard() == ["STATUS=603 READER_MISSING", "STATUS=CARD_READ", "STATUS=READY"]


def test_a_short_watchdog_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    Supervisor(None, 60.0).warn_if_short(5)
    assert caplog.text == ""
    Supervisor(None, 30.0).warn_if_short(5)
    assert "write at least 40" in caplog.text


# -- the card loop, on simulated time --------------------------------------------------------------


class Watched:
    """A loop whose supervisor counts simulated time; sends a sign each 3 s of it."""

    def __init__(self, folder: Path, ear: Listener):
        self.loop: Loop = with_psam(folder)
        self.ear = ear
        loop = self.loop
        self.supervisor = Supervisor(ear.path, 9.0, loop.hands.monotonic)
        loop.unit.recorder = lambda command, answer: self.supervisor.beat()
        loop.display = Display([self.supervisor])
        loop.terminal = Terminal(
            loop.unit,
            Inbox(loop.unit),
            loop.jobs,
            loop.hands.wait,
            supervisor=self.supervisor,
        )


@pytest.fixture
def watched(tmp_path: Path, ear: Listener) -> Watched:
    folder = tmp_path / "unit"
    folder.mkdir()
    return Watched(folder, ear)


def test_a_loop_that_turns_says_so_from_ready_to_stopping(watched: Watched) -> None:
    watched.loop.run(30)
    heard = watched.ear.heard()
    assert heard.count("READY=1") == heard.count("STOPPING=1") == 1
    alive = heard[heard.index("READY=1") : heard.index("STOPPING=1")].count(ALIVE)
    assert 9 <= alive <= 11
    assert "STATUS=READY" in heard
    assert heard[-1] == "STATUS=STOPPED"


def test_waiting_for_a_card_is_life(watched: Watched) -> None:
    """card_wait_s may be an hour: nothing is stuck meanwhile."""
    answer = watched.loop.ask()
    watched.loop.run(1.9)
    assert not answer.done() or answer.result(timeout=0)[0].name == "CANCELLED"
    assert watched.ear.heard().count(ALIVE) >= 1


def test_waiting_for_a_pin_is_life(watched: Watched, ear: Listener) -> None:
    """A pad asks whether it was cancelled again and again."""
    ear.heard()
    for _ in range(60):  # 6 s
        watched.loop.unit.is_cancelled()
        watched.loop.hands.now_s += 0.1
    assert ear.heard().count(ALIVE) == 2


def test_a_loop_that_is_stuck_in_a_driver_falls_silent(watched: Watched) -> None:
    """The process lives, its threads live, its loop does not."""
    stuck, freed = threading.Event(), threading.Event()
    loop = watched.loop

    def block() -> int:
        stuck.set()
        freed.wait(SOON_S)
        return 0

    loop.plan(5, lambda: setattr(loop.unit.readers[0], "cards_in_reach", block))
    loop.plan(30, loop.terminal.stop)
    thread = threading.Thread(target=loop.terminal.run)
    thread.start()
    assert stuck.wait(SOON_S)
    watched.ear.heard()
    for _ in range(50):  # the clock runs on, hosts ask, screens are drawn
        loop.hands.now_s += 0.5
        loop.terminal.status()
        loop.display.show("READY")
    silence = watched.ear.heard()
    freed.set()
    thread.join(SOON_S)
    assert ALIVE not in silence
    assert ALIVE in watched.ear.heard()


def test_a_reader_that_fails_at_each_look_is_no_stuck_loop(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone() -> int:
        raise TransportError("gone")

    monkeypatch.setattr(watched.loop.unit.readers[0], "cards_in_reach", gone)
    watched.loop.run(30)
    assert watched.ear.heard().count(ALIVE) >= 9


# -- the uplink process ----------------------------------------------------------------------------


def uplink_section() -> Uplink:
    return Uplink(60.0, 500, serial=None, http=None, https=None, nats=None, drop=None)


def test_the_uplink_process_says_it_too(
    tmp_path: Path, ear: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uplink, "CLEAN_EVERY_S", 0.02)
    stop = threading.Event()

    def stop_after_some() -> None:
        try:
            until(lambda: ear._lines.qsize() >= 12)
        finally:
            stop.set()

    threading.Thread(target=stop_after_some).start()
    uplink.run("TEST", tmp_path, uplink_section(), None, stop, Supervisor(ear.path, 0.03))
    heard = ear.heard()
    assert heard[0] == "READY=1"
    assert heard[-1] == "STOPPING=1"
    assert heard.count(ALIVE) >= 5


def test_the_module_stands_on_the_lowest_floor() -> None:
    """Both processes import it."""
    assert "firmware" not in {
        line.split()[1].partition(".")[0]
        for line in Path(supervise.__file__).read_text().splitlines()
        if line.startswith(("from ", "import "))
    }
