"""How long the terminal itself takes for a purchase: all but the time inside card and PSAM."""

from __future__ import annotations

import sqlite3
import statistics
import time
from pathlib import Path

from tests.bench.customers import CHORES_EVERY, Customers
from tests.bench.figure import Figure, milliseconds

# The German stationary health-card terminal, for 2,000 bytes: mean and 99 per cent.
GERMAN_MEAN_MS = 150
GERMAN_P99_MS = 240
_RECORD_BYTES = 400  # about that of an INTENT


def measure(folder: Path, payments: int) -> dict[str, Figure]:
    """Purchases and bare commits in turn, so that a busy moment meets both."""
    line, bare = Customers(folder, payments), BareCommits(folder / "bare.db")
    terminal_ns: list[int] = []
    bare_ns: list[int] = []
    for number in range(1, payments + 1):
        terminal_ns.append(line.pays())
        if number % CHORES_EVERY == 0:
            bare_ns += [bare.two() for _ in range(CHORES_EVERY)]
            line.quiet()
            bare.quiet()
    line.close()
    bare.close()
    how = (
        f"{payments} purchases, 2.0 card, rotating cards, journal on this disk, "
        "time inside card and PSAM taken off, both syncs included"
    )
    mean = statistics.fmean(terminal_ns) / 1e6
    german = "reference: the German stationary health-card terminal"
    p50, bare_p50 = milliseconds(terminal_ns), milliseconds(bare_ns)
    return {
        "purchase.terminal_ms.p50": Figure(
            p50, "ms", GERMAN_MEAN_MS, f"{how}; mean {mean:.2f}; {german}, mean"
        ),
        "purchase.terminal_ms.p99": Figure(
            milliseconds(terminal_ns, 99),
            "ms",
            GERMAN_P99_MS,
            f"{how}; slowest {max(terminal_ns) / 1e6:.1f}; {german}, 99 %",
        ),
        "purchase.terminal_ms.p50.over_bare_commits": Figure(
            p50,
            "ms",
            bare_p50,
            f"reference: two commits of {_RECORD_BYTES} bytes by SQLite alone (WAL, FULL), "
            f"median of as many in the same run; its p99 {milliseconds(bare_ns, 99):.2f}",
        ),
    }


class BareCommits:
    """The floor under the journal: the same database settings, one table, no record."""

    def __init__(self, path: Path):
        self._connection = sqlite3.connect(path, isolation_level=None)
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "wal_autocheckpoint = 0"):
            self._connection.execute(f"PRAGMA {pragma}")
        self._connection.execute("CREATE TABLE rows (number INTEGER PRIMARY KEY, raw BLOB)")

    def two(self) -> int:
        """ns of two commits."""
        started = time.perf_counter_ns()
        for _ in range(2):
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.execute(
                "INSERT INTO rows (raw) VALUES (zeroblob(?))", (_RECORD_BYTES,)
            )
            self._connection.execute("COMMIT")
        return time.perf_counter_ns() - started

    def quiet(self) -> None:
        self._connection.execute("PRAGMA wal_checkpoint(RESTART)")

    def close(self) -> None:
        self._connection.close()
