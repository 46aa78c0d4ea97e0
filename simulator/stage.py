"""The stage of the demo: folders and files, and the processes that play on it.

    DIR/region.json         the simulator's state: cards and PSAMs, with their money
    DIR/office/             the back office
    DIR/stoplist.cose       signed by the office
    DIR/<unit>/board.toml   a terminal; its data beside it in data/
    DIR/<name>.log          what each process said

Every process is started in a session of its own and ended by its id.  Every wait has a deadline.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from simulator import links
from simulator.cashier import Cashier
from simulator.client import ControlClient

PATIENCE_S = 20.0
POLL_S = 0.03
END_S = 10.0
_TAIL_LINES = 15
UTF_8 = {"PYTHONIOENCODING": "utf-8"}  # whatever our own terminal takes

T = TypeVar("T")

BOARD = """\
[unit]
id = "{unit}"
profile = "development"
region = "{region}"
data_dir = "data"

[[reader]]
name = "counter"
address = "sim:{simulator}#user"
kind = "contact"

[[reader]]
name = "tap"
address = "sim:{simulator}#contactless"
kind = "contactless"

[psam]
address = "sim:{simulator}#psam"
terminal_number = "{terminal_number}"

[pad]
address = "sim:{simulator}#pad"

[display]
panel_png = "panel.png"

[host]
socket = "{socket}"

[uplink]
seal_after_s = 0.5
batch_records = 10

{link}
[office]
public_key = "{office}/office.pub"

[stop_list]
file = "{stop_list}"

[limits]
transaction_fen = 100000
day_fen = 5000000
card_day_fen = 200000

[purchase]
amount_mapping = "{mapping}"
ef06 = "on"
offline_total_fen = 300000
offline_count = 20
regions = ["{region}"]

[clock]
rtc = true

[journal]
min_free_mb = 1

[timing]
exchange_s = 5
card_wait_s = 15
pin_s = 15
removal_s = 15
"""


class Failed(Exception):
    """The demo cannot go on; the text says what was awaited or what went wrong."""


class Actor:
    """One process of ours, its output in a log file."""

    def __init__(self, name: str, command: list[str], log: Path):
        self.name = name
        self.log = log
        with log.open("ab") as out:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                env=os.environ | UTF_8,
                start_new_session=True,
            )
        self.pid = self._process.pid

    @property
    def has_ended(self) -> bool:
        return self._process.poll() is not None

    def kill_9(self) -> None:
        """This process alone; a child of it has to find out by itself."""
        os.kill(self.pid, signal.SIGKILL)
        self._process.wait(END_S)

    def end(self) -> int:
        """SIGTERM, and its exit status.  Raises Failed when it does not end in time."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGTERM)
        try:
            return self._process.wait(END_S)
        except subprocess.TimeoutExpired:
            raise Failed(f"{self.name} does not end {END_S:g} s after SIGTERM") from None

    def sweep(self) -> None:
        """Whatever is left of its session is killed."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait(END_S)

    @property
    def is_session_empty(self) -> bool:
        try:
            os.killpg(self.pid, 0)
        except ProcessLookupError:
            return True
        return False


class Stage:
    """Use in a `with`: on leaving it no process is left, and the folder only if is_kept."""

    def __init__(self, keep: Path | None = None, link: str = "serial"):
        """keep: a folder for the files, new or empty; link: one of links.NAMES.  Raises Failed."""
        if keep is not None and keep.exists() and any(keep.iterdir()):
            raise Failed(f"{keep} is not empty: name a new folder")
        self._sockets = Path(tempfile.mkdtemp(prefix="sscdemo-"))  # a socket's path must be short
        self.is_kept = keep is not None
        self.folder = (keep or self._sockets / "files").absolute()
        self.folder.mkdir(parents=True, exist_ok=True)
        self.state = self.folder / "region.json"
        self.stop_list = self.folder / "stoplist.cose"
        self._office = self.folder / "office"
        self._simulator_socket = self._sockets / "sim"
        self._actors: list[Actor] = []
        self._live: dict[str, Actor] = {}
        self.way = links.way(link, self)
        self._control: ControlClient | None = None

    def __enter__(self) -> Stage:
        return self

    def __exit__(self, *_: object) -> None:
        if self._control is not None:
            self._control.close()
        for actor in reversed(self._actors):
            actor.sweep()
        self.way.close()
        shutil.rmtree(self._sockets, ignore_errors=True)

    # -- processes -------------------------------------------------------------------------------

    def start(self, name: str, *argv: str) -> Actor:
        """One of our own modules."""
        return self.start_program(name, sys.executable, "-m", *argv)

    def start_program(self, name: str, *command: str) -> Actor:
        actor = Actor(name, list(command), self.folder / f"{name}.log")
        self._actors.append(actor)
        self._live[name] = actor
        return actor

    def start_simulator(self) -> tuple[Actor, ControlClient]:
        """`sscsim serve` on the state file; when this returns, it can be steered."""
        socket = str(self._simulator_socket)
        serve = ("serve", "--state", str(self.state), "--socket", socket)
        actor = self.start("simulator", "simulator", *serve)
        control = self.until("the simulator listens", lambda: ControlClient(socket))
        self._control = control
        return actor, control

    def start_terminal(self, unit: str) -> tuple[Actor, Cashier]:
        """The firmware with that unit's board; when this returns, its socket answers."""
        actor = self.start(unit, "firmware", "--board", str(self.folder / unit / "board.toml"))
        cashier = Cashier(self._sockets / unit)
        self.until(f"terminal {unit} answers on its socket", lambda: cashier.call("status"))
        return actor, cashier

    def ended(self, actor: Actor) -> None:
        """It was meant to end: its absence is no failure any more."""
        self._live.pop(actor.name, None)

    def end(self, actor: Actor) -> int:
        self.ended(actor)
        return actor.end()

    def until(self, what: str, probe: Callable[[], T | None], within_s: float = PATIENCE_S) -> T:
        """Ask again until the answer is neither None nor OSError (nobody listens yet).

        Raises Failed: too late, or a process died that should live.
        """
        ends = time.monotonic() + within_s
        error: OSError | None = None
        while True:
            for actor in self._live.values():
                if actor.has_ended:
                    raise Failed(f"process {actor.name} died; awaited was: {what}")
            try:
                found = probe()
            except OSError as caught:
                found, error = None, caught
            if found is not None:
                return found
            if time.monotonic() >= ends:
                why = "" if error is None else f" ({error})"
                raise Failed(f"not within {within_s:g} s: {what}{why}")
            time.sleep(POLL_S)

    # -- files and the office --------------------------------------------------------------------

    def write_board(self, unit: str, **values: str) -> Path:
        """board.toml of that unit.  values: region, terminal_number, mapping."""
        folder = self.folder / unit
        folder.mkdir()
        text = BOARD.format(
            unit=unit,
            simulator=self._simulator_socket,
            socket=self._sockets / unit,
            link=self.way.board(unit),
            office=self._office,
            stop_list=self.stop_list,
            **values,
        )
        (folder / "board.toml").write_text(text, encoding="utf-8")
        return folder

    def make_office(self) -> None:
        """The office, and what runs for the way to it."""
        self._run_office("init", "--name", "demo office")
        self.way.start(self._office)

    def office(self, *argv: str) -> str:
        """`sscoffice ACT ...` in the office's folder; what it printed.  Raises Failed."""
        return self._run_office(*argv)

    def office_json(self, *argv: str) -> dict[str, Any]:
        """The same with --json; what must be looked at, and "nothing to do", is the caller's."""
        out = self._run_office(*argv, "--json", legal=(0, 1, 2))
        try:
            told: dict[str, Any] = json.loads(out)
        except ValueError:
            raise Failed(f"sscoffice {argv[0]} told no result") from None
        return told

    def pull(self, unit: str) -> dict[str, Any]:
        """Whatever the way brings of that unit."""
        return self.way.pull(unit)

    def _run_office(self, act: str, *argv: str, legal: tuple[int, ...] = (0,)) -> str:
        """To its end; its standard output.  Another exit status and a time-out are Failed."""
        folder = (str(self._office),) if act == "init" else ("--dir", str(self._office))
        command = ["office", act, *folder, *argv]
        said = f"ssc{' '.join(command)}"
        try:
            done = subprocess.run(
                [sys.executable, "-m", *command],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                encoding="utf-8",
                env=os.environ | UTF_8,
                timeout=PATIENCE_S,
            )
        except subprocess.TimeoutExpired:
            raise Failed(f"not within {PATIENCE_S:g} s: {said}") from None
        with (self.folder / "office.log").open("a", encoding="utf-8") as log:
            log.write(f"$ {said}\n{done.stdout}{done.stderr}")
        if done.returncode not in legal:
            raise Failed(f"exit status {done.returncode}: {said}")
        return done.stdout

    def tails(self) -> str:
        """The last lines of every log, for a person who asks what went wrong."""
        parts = []
        for log in sorted(self.folder.glob("*.log")):
            lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
            parts += [f"--- {log.name}", *lines[-_TAIL_LINES:]]
        return "\n".join(parts)
