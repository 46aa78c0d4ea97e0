"""The daemon as it is started on a unit: how soon it answers, how much memory it holds at rest."""

from __future__ import annotations

import contextlib
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from firmware.host.sscterm import Unreachable, call
from simulator.client import ControlClient
from simulator.region import Region
from tests.bench.figure import Figure, spread
from tests.board_text import PAYS
from tests.journal_maker import UNIT
from tests.ports import free_port

_START_S = 60.0  # a deadline, not a measure
_POLL_S = 0.001
_BARE = (sys.executable, "-c", "pass")
_BARE_WAITING = (sys.executable, "-c", "import sys; sys.stdin.read()")

_PANEL = 'panel_png = "panel.png"'
BOARD = (
    """
[unit]
id = "{unit}"
profile = "development"
region = "510100"
data_dir = "{data}"
[[reader]]
name = "counter"
address = "sim:{sockets}/sim.sock#user"
kind = "contact"
[psam]
address = "sim:{sockets}/sim.sock#psam"
[pad]
address = "sim:{sockets}/sim.sock#pad"
[display]
window = true
{panel}
[uplink.http]
listen = "127.0.0.1:{port}"
[host]
socket = "{sockets}/unit.sock"
"""
    + PAYS
)


class Unit(NamedTuple):
    board: Path
    socket: Path
    environment: dict[str, str]


def measure(folder: Path, large: Path, starts: int, rest_s: float) -> dict[str, Figure]:
    """large: a folder with a large journal, which is copied.  rest_s: how long it idles."""
    count = large.name.split("-")[1]
    shutil.copytree(large, folder / "large")
    environment = _compiled(folder / "bytecode")
    with simulator(folder) as sockets:
        _start_ms(_unit(folder, "compiling", sockets, _PANEL))
        empty, full, bare = [], [], []
        for turn in range(starts):
            bare.append(_bare_ms(environment))
            empty.append(_start_ms(_unit(folder, f"empty{turn}", sockets)))
            full.append(_start_ms(_unit(folder, "large", sockets)))
        plain = _idle(_unit(folder, "rest", sockets), rest_s)
        panel = _idle(_unit(folder, "panel", sockets, _PANEL), rest_s)
    reference = f"reference: python -c pass in the same run, {spread(bare)}"
    how = "from exec until the socket answers `status`, modules compiled before"
    return {
        "daemon.ready_ms.empty": _ready(empty, bare, f"{how}, first start of a unit; {reference}"),
        "daemon.ready_ms.100k": _ready(
            full, bare, f"{how}, journal of {count} records in the page cache; {reference}"
        ),
        "daemon.idle_rss_mb": _memory(plain, "text window, no panel"),
        "daemon.idle_rss_mb.panel": _memory(panel, "with the 128x64 panel, which loads Pillow"),
    }


def _ready(starts: list[tuple[float, float]], bare: list[float], how: str) -> Figure:
    answered = [first for first, _ in starts]
    idle_ms = statistics.median(idle for _, idle in starts)
    note = f"{spread(answered)}; idle, PSAM up and waiting for cards, after {idle_ms:.0f}; {how}"
    return Figure(statistics.median(answered), "ms", statistics.median(bare), note)


def _memory(found: dict[str, tuple[float, float]], what: str) -> Figure:
    """found: name of the process -> (VmRSS, Pss), MiB."""
    parts = ", ".join(f"{name} {rss:.1f} (PSS {pss:.1f})" for name, (rss, pss) in found.items())
    return Figure(
        sum(rss for rss, _ in found.values()),
        "MiB",
        _bare_rss_mb(),
        f"VmRSS of both processes at rest: {parts}; {what}; reference: one bare Python, waiting",
    )


# --- the processes ---


@contextlib.contextmanager
def simulator(folder: Path, *options: str) -> Iterator[Path]:
    """A simulator process with a PSAM in its slot and no card.

    Yields the folder of the sockets, whose paths must be short: `sim.sock`, and later `unit.sock`.
    """
    state = folder / "region.json"
    region = Region("510100", seed="TEST")
    label = region.issue_psam().label
    region.save(state)
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        path = Path(name, "sim.sock")
        command = (sys.executable, "-m", "simulator", "serve", "--state", state, "--socket", path)
        process = subprocess.Popen((*command, *options), stdout=subprocess.PIPE)
        try:
            assert process.stdout is not None
            process.stdout.readline()  # "ready"
            with ControlClient(str(path)) as control:
                control.insert(slot="psam", label=label)
            yield Path(name)
        finally:
            end(process)


def _unit(folder: Path, name: str, sockets: Path, panel: str = "") -> Unit:
    """A unit whose data lie in FOLDER/name."""
    path = folder / f"{name}.toml"
    port = free_port()
    path.write_text(BOARD.format(unit=UNIT, data=name, sockets=sockets, panel=panel, port=port))
    return Unit(path, sockets / "unit.sock", _compiled(folder / "bytecode"))


def _compiled(bytecode: Path) -> dict[str, str]:
    """The environment of an installed unit: modules are compiled once and kept in that folder."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return kept | {"PYTHONPYCACHEPREFIX": str(bytecode)}


@contextlib.contextmanager
def _daemon(unit: Unit) -> Iterator[tuple[subprocess.Popen[bytes], float, float]]:
    """The running daemon; ms until it answered, and until it was idle."""
    command = (sys.executable, "-m", "firmware", "--board", str(unit.board))
    log = unit.board.with_suffix(".log")
    started = time.perf_counter()
    with log.open("wb") as stream:
        process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=stream, env=unit.environment
        )
    try:
        answered_ms = None
        while True:
            passed_ms = (time.perf_counter() - started) * 1000
            state = _state(unit.socket)
            if state is not None and answered_ms is None:
                answered_ms = (time.perf_counter() - started) * 1000
            if state == "idle":
                yield process, answered_ms or passed_ms, (time.perf_counter() - started) * 1000
                return
            if process.poll() is not None or passed_ms > _START_S * 1000:
                raise RuntimeError(f"the daemon is {state}; {log.read_text()}")
            time.sleep(_POLL_S)
    finally:
        end(process)


def _state(unit_socket: Path) -> str | None:
    try:
        return call(unit_socket, "status", {}, _START_S)["state"]
    except Unreachable:
        return None


def end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_START_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()


def _start_ms(unit: Unit) -> tuple[float, float]:
    with _daemon(unit) as (_, answered_ms, idle_ms):
        return answered_ms, idle_ms


def _bare_ms(environment: dict[str, str]) -> float:
    started = time.perf_counter()
    subprocess.run(_BARE, check=True, env=environment)
    return (time.perf_counter() - started) * 1000


# --- memory ---


def _idle(unit: Unit, rest_s: float) -> dict[str, tuple[float, float]]:
    """Memory of the daemon's processes once it rested, as _memory wants it."""
    with _daemon(unit) as (process, _, _):
        time.sleep(rest_s)
        (uplink,) = children(process.pid)
        return {"card process": _memory_of(process.pid), "uplink process": _memory_of(uplink)}


def children(pid: int) -> list[int]:
    """Of whichever thread; one may end while it is asked."""
    found: list[int] = []
    for thread in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            found += map(int, (thread / "children").read_text().split())
    return found


def _bare_rss_mb() -> float:
    process = subprocess.Popen(_BARE_WAITING, stdin=subprocess.PIPE)
    try:
        time.sleep(0.2)
        return _memory_of(process.pid)[0]
    finally:
        assert process.stdin is not None
        process.stdin.close()
        process.wait(_START_S)


def _memory_of(pid: int) -> tuple[float, float]:
    """VmRSS and proportional set size of a process, MiB."""
    return (
        _field_mb(Path(f"/proc/{pid}/status"), "VmRSS:"),
        _field_mb(Path(f"/proc/{pid}/smaps_rollup"), "Pss:"),
    )


def _field_mb(path: Path, name: str) -> float:
    line = next(each for each in path.read_text().splitlines() if each.startswith(name))
    return int(line.split()[1]) / 1024
