"""How near a purchase comes to what cannot be saved: line, chips, syncs and signatures."""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from pathlib import Path

from simulator.pace import Pace
from tests.bench.customers import CHORES_EVERY, Customers
from tests.bench.figure import Figure, milliseconds
from tests.bench.pace import BareCommits

BAUDS = {9600: 1.03, 115200: 1.12}  # and the most that the whole may be over its parts
SIGNATURES = 3  # INTENT, DONE, TOTALS
NOSYNC_MS = 2.0
OVER_BARE = 3.0


def measure(folder: Path, payments: int) -> dict[str, Figure]:
    rows = {}
    for baud, most in BAUDS.items():
        place = folder / str(baud)
        place.mkdir()
        rows[f"purchase.over_floor.{baud}"] = _over_floor(place, baud, most)
    rows["purchase.terminal_nosync_ms.p50"] = _without_syncs(payments)
    place = folder / "bare"
    place.mkdir()
    rows["purchase.terminal_over_bare.p99"] = _over_bare(place, payments)
    return rows


def _over_floor(folder: Path, baud: int, most: float) -> Figure:
    """Real time of whole purchases on lines that take their time, over the sum of their parts."""
    line, bare = Customers(folder, 40), BareCommits(folder / "bare.db")
    slots = line.rig.user, line.rig.world.slot("psam")
    ratios, line_ms = [], 0.0
    for _ in range(3 if baud < 50_000 else 15):
        for slot in slots:
            slot.pace = Pace(baud)
        started = time.perf_counter()
        outside_s = line.pays() / 1e9
        total_s = time.perf_counter() - started
        line_s = sum(slot.pace.total_s for slot in slots)
        chips_s = total_s - outside_s
        ratios.append(total_s / (line_s + chips_s + _bare_ns(line, bare) / 1e9))
        line_ms = line_s * 1000
    line.close()
    bare.close()
    note = f"over line ({line_ms:.0f} ms), chips, two bare commits, three signatures; median of "
    return Figure(
        statistics.median(ratios), "times", most, f"{note}{len(ratios)}; reference: the limit"
    )


def _bare_ns(line: Customers, bare: BareCommits) -> int:
    """Two commits and the signatures of one purchase, by themselves."""
    started = time.perf_counter_ns()
    for _ in range(SIGNATURES):
        line.rig.key.sign(bytes(300))
    return time.perf_counter_ns() - started + bare.two()


def _without_syncs(payments: int) -> Figure:
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=memory) as name:
        line = Customers(Path(name), payments)
        times_ns = [line.pays() for _ in range(payments)]
        line.close()
    where = "in memory" if memory else "in the temporary folder"
    note = f"journal {where}, so that a sync costs nothing; {payments} purchases; p99 "
    note += f"{milliseconds(times_ns, 99):.2f}; reference: the limit"
    return Figure(milliseconds(times_ns), "ms", NOSYNC_MS, note)


def _over_bare(folder: Path, payments: int) -> Figure:
    """The terminal's slowest per cent over that of two bare commits and three signatures."""
    line, bare = Customers(folder, payments), BareCommits(folder / "bare.db")
    terminal_ns: list[int] = []
    bare_ns: list[int] = []
    for number in range(1, payments + 1):
        terminal_ns.append(line.pays())
        bare_ns.append(_bare_ns(line, bare))
        if number % CHORES_EVERY == 0:
            line.quiet()
            bare.quiet()
    line.close()
    bare.close()
    p99, bare_p99 = milliseconds(terminal_ns, 99), milliseconds(bare_ns, 99)
    medians = milliseconds(terminal_ns) / milliseconds(bare_ns)
    note = f"p99 {p99:.2f} ms over {bare_p99:.2f} ms; the medians' ratio is {medians:.1f}; "
    return Figure(p99 / bare_p99, "times", OVER_BARE, note + "reference: the limit")
