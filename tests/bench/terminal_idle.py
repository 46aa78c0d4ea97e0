"""The daemon at a real pcscd: how soon it speaks to a card, and what it costs while it waits."""

from __future__ import annotations

import contextlib
import random
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NamedTuple

from firmware.drivers.smartcard import scard
from firmware.host.sscterm import AnswerLost, Unreachable, call
from tests import pcscd_rig
from tests.bench.daemon import children, end, simulator
from tests.bench.figure import Figure, spread
from tests.board_text import PAYS
from tests.ports import free_port
from tests.vpcd_card import VpcdCard
from tests.waiting import until

UNITS = {"terminal.insert_to_apdu_ms.p50": "ms", "terminal.idle_cpu_ms_per_min": "ms/min"}
USER, PSAM = pcscd_rig.USER_READER + " 00 00", pcscd_rig.PSAM_READER + " 00 00"
ATR = bytes.fromhex("3B6D000000814A444686605199000001AC")
REFUSED = b"\x6a\x82"
_SOON_S = 30.0  # a deadline, not a measure
# pcscd looks each 0.4 s, and may miss a swap that takes less.
_OUT_S = 0.6
_POLL_S = 0.4

BOARD = (
    """
[unit]
id = "IDLE-1"
profile = "development"
region = "510100"
data_dir = "data"
[[reader]]
name = "counter"
address = "pcsc:{user}"
kind = "contact"
[psam]
address = "pcsc:{psam}"
[host]
socket = "{sockets}/unit"
[uplink.http]
listen = "127.0.0.1:{port}"
"""
    + PAYS
)


def measure(folder: Path, insertions: int, idle_s: float) -> dict[str, Figure]:
    """insertions: cards into the daemon's reader, and as many into that of a bare client."""
    if reason := pcscd_rig.missing():
        return {name: Figure(None, unit, None, reason) for name, unit in UNITS.items()}
    rig = pcscd_rig.shared()
    bare = _insertions(rig, insertions, _BareClient)
    psam = ("--vpcd-psam", str(rig.psam_port))
    with simulator(folder, *psam) as sockets, _daemon(folder, sockets) as process:
        idle = _idle(process, rig, idle_s)
        ours = _insertions(rig, insertions, lambda: _Quiet(sockets / "unit"))
    return {"terminal.insert_to_apdu_ms.p50": _insert_row(ours, bare)} | idle


# --- from the card's insertion to the first command ---


class Insertion(NamedTuple):
    total_ms: float
    after_seen_ms: float
    """Counted from when another client of pcscd saw the card."""


def _insert_row(ours: list[Insertion], bare: list[Insertion]) -> Figure:
    (total, after), (bare_total, bare_after) = (
        ([each.total_ms for each in found], [each.after_seen_ms for each in found])
        for found in (ours, bare)
    )
    note = (
        f"{spread(total)}; from a card's insertion into a reader of a real pcscd, which looks each "
        f"400 ms, to the first command at the card; {statistics.median(after):.0f} of them "
        f"({max(after):.0f} at most) after pcscd saw it; reference: a bare loop of "
        f"SCardGetStatusChange, SCardConnect, SCardTransmit, {spread(bare_total)}, "
        f"{statistics.median(bare_after):.0f} after pcscd saw it"
    )
    return Figure(statistics.median(total), "ms", statistics.median(bare_total), note)


class _TimedCard:
    """Refuses every command; knows when it was plugged in and first spoken to."""

    def __init__(self, port: int):
        self._spoken_to = threading.Event()
        self._heard = 0.0
        self._began = time.perf_counter()
        self._card = VpcdCard(port, ATR, self._answer)

    def _answer(self, command: bytes) -> bytes:
        if not self._spoken_to.is_set():
            self._heard = time.perf_counter()
            self._spoken_to.set()
        return REFUSED

    def wait(self, seen: float) -> Insertion:
        """seen: when pcscd showed it."""
        if not self._spoken_to.wait(_SOON_S):
            raise RuntimeError("nobody spoke to the card")
        return Insertion((self._heard - self._began) * 1000, (self._heard - seen) * 1000)

    def pull(self) -> None:
        self._card.pull()


def _insertions(
    rig: pcscd_rig.PcscdRig, count: int, client: Callable[[], AbstractContextManager[object]]
) -> list[Insertion]:
    """At moments that have nothing to do with pcscd's."""
    dice = random.Random(510100)
    found = []
    for _ in range(count):
        with client(), _Watch() as watch:
            time.sleep(_OUT_S + dice.random() * _POLL_S)
            card = _TimedCard(rig.user_port)
            watch.until(scard.SCARD_STATE_PRESENT)
            found.append(card.wait(time.perf_counter()))
            card.pull()
    return found


class _Watch:
    """The user reader as a client of pcscd sees it."""

    def __enter__(self) -> _Watch:
        _, self.context = scard.SCardEstablishContext(scard.SCARD_SCOPE_SYSTEM)
        self._state = scard.SCARD_STATE_UNAWARE
        self.until(scard.SCARD_STATE_EMPTY)
        return self

    def __exit__(self, *error: object) -> None:
        scard.SCardReleaseContext(self.context)

    def until(self, bit: int) -> None:
        ends = time.monotonic() + _SOON_S
        while not self._state & bit and time.monotonic() < ends:
            asked = [(USER, self._state)]
            _, [(_, self._state, _)] = scard.SCardGetStatusChange(self.context, 1000, asked)


class _BareClient(_Watch):
    """Waits for a card in a thread, speaks to it once."""

    def __enter__(self) -> _BareClient:
        super().__enter__()
        self._thread = threading.Thread(target=self._speak, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._thread.join(_SOON_S)
        super().__exit__(*error)

    def _speak(self) -> None:
        self.until(scard.SCARD_STATE_PRESENT)
        _, card, protocol = scard.SCardConnect(self.context, USER, scard.SCARD_SHARE_SHARED, 3)
        scard.SCardTransmit(card, protocol, [0x00, 0xA4, 0x00, 0x00])
        scard.SCardDisconnect(card, scard.SCARD_UNPOWER_CARD)


class _Quiet:
    """The daemon, when it has seen that the reader is empty."""

    def __init__(self, path: Path):
        self._socket = path

    def __enter__(self) -> _Quiet:
        until(lambda: not _status(self._socket).get("card_present", True))
        return self

    def __exit__(self, *error: object) -> None:
        pass


# --- at rest ---


def _idle(
    process: subprocess.Popen[bytes], rig: pcscd_rig.PcscdRig, idle_s: float
) -> dict[str, Figure]:
    until(lambda: len(children(process.pid)) == 1)
    (uplink,) = children(process.pid)
    sleeper = (sys.executable, "-c", "import time\nwhile True: time.sleep(1)")
    with contextlib.ExitStack() as ends:
        bare = subprocess.Popen(sleeper)
        ends.callback(end, bare)
        time.sleep(min(idle_s, 3.0))  # what a start leaves to be done
        pids = {"card": process.pid, "uplink": uplink, "bare": bare.pid, "pcscd": rig._process.pid}
        before = {name: _cpu_ms(pid) for name, pid in pids.items()}
        began = time.monotonic()
        time.sleep(idle_s)
        minutes = (time.monotonic() - began) / 60
        used = {name: (_cpu_ms(pid) - before[name]) / minutes for name, pid in pids.items()}
    note = (
        f"processor time of the card process {used['card']:.0f} and the uplink process "
        f"{used['uplink']:.0f} over {idle_s:.0f} s, idle, one reader and the PSAM at pcscd (which "
        f"took {used['pcscd']:.0f} itself); reference: a bare Python that sleeps 1 s at a time"
    )
    value = used["card"] + used["uplink"]
    return {"terminal.idle_cpu_ms_per_min": Figure(value, "ms/min", used["bare"], note)}


def _cpu_ms(pid: int) -> float:
    """Processor time of a process since its start, by its own clock (clock_getcpuclockid(3))."""
    return time.clock_gettime_ns(~pid << 3 | 2) / 1e6


# --- the processes ---


@contextlib.contextmanager
def _daemon(folder: Path, sockets: Path) -> Iterator[subprocess.Popen[bytes]]:
    port = free_port()
    board = folder / "board.toml"
    board.write_text(BOARD.format(sockets=sockets, user=USER, psam=PSAM, port=port))
    log = folder / "daemon.log"
    with log.open("wb") as stream:
        process = subprocess.Popen(
            (sys.executable, "-m", "firmware", "--board", board),
            stdout=subprocess.DEVNULL,
            stderr=stream,
        )
    try:
        until(lambda: _is_up(sockets / "unit"), lambda: log.read_text())
        yield process
    finally:
        end(process)


def _is_up(path: Path) -> bool:
    """Idle, and its PSAM is up."""
    status = _status(path)
    return status.get("state") == "idle" and bool((status["psam"] or {}).get("up"))


def _status(path: Path) -> dict:
    try:
        return call(path, "status", {}, 5.0)
    except (AnswerLost, Unreachable):
        return {}
