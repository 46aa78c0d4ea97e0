"""The journal by itself: one commit against a bare one, and a start among a million records.

`python -m tests.bench.journal append FOLDER` appends until it is killed;
`python -m tests.bench.journal serve FOLDER` opens the journal, says "ready", serves, says its RSS.
"""

from __future__ import annotations

import os
import shutil
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from firmware.clock import Clock
from firmware.journal import batch
from firmware.journal.devicekey import DeviceKey
from firmware.journal.kinds import KIND_DONE, KIND_INTENT, KIND_TOTALS
from firmware.journal.store import Journal
from tests.bench.figure import Figure, milliseconds, percentile, spread
from tests.journal_maker import START_MS, done_body, intent_body, open_journal, totals_body

COMMIT_RATIO, READY_MS, RSS_MB = 2.0, 1000, 60
DAY_MS = 86_400_000
_CHILD_S = 120
_APPENDED = 200  # records before the kill


def measure(folder: Path, large: Path, small: Path, payments: int, starts: int) -> dict:
    """large, small: folders with journals, which are copied."""
    count = large.name.split("-")[1]
    rows = _commits(folder / "commits", payments)
    served = {each: _starts(folder / each.name, each, starts) for each in (large, small)}
    ready, rss = ({each: found[at] for each, found in served.items()} for at in (0, 1))
    how = (
        f"a process appending to a journal of {count} records is killed (SIGKILL), its files leave "
        "the page cache; then from exec of a new process, interpreter and imports included, until "
        "the journal is open, checked and a record is on the disk; fastest, median, slowest "
    )
    beside = f"{spread(ready[large])}; with 1,000 records {spread(ready[small])}"
    rows["journal.ready_ms.1m"] = Figure(
        statistics.median(ready[large]), "ms", READY_MS, f"{how}{beside}; reference: the limit"
    )
    rows["journal.rss_mb.1m"] = Figure(
        max(rss[large]),
        "MiB",
        RSS_MB,
        f"VmRSS of that process, {count} records, after 20 payments with what a payment asks the "
        "journal, checkpoints, a batch of 1000 sealed, 32 steps of the scrub and of the pruning; "
        f"with 1,000 records {max(rss[small]):.1f}; reference: the limit",
    )
    return rows


# --- one commit ---


def _commits(folder: Path, payments: int) -> dict[str, Figure]:
    """Each record is appended to the journal, then to a bare file: the disk is the same."""
    folder.mkdir()
    journal = open_journal(folder, clock=Clock(has_rtc=True, trust_h=24))
    bare = os.open(folder / "bare", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    ours_ns: list[int] = []
    bare_ns: list[int] = []

    def append(kind: int, body: dict) -> int:
        started = time.perf_counter_ns()
        made = journal.append(kind, body)
        ours_ns.append(time.perf_counter_ns() - started)
        started = time.perf_counter_ns()
        os.write(bare, made.raw)
        os.fdatasync(bare)
        bare_ns.append(time.perf_counter_ns() - started)
        return made.number

    for turn in range(payments):
        intent = append(KIND_INTENT, intent_body(f"{turn:014d}", card=turn % 500))
        append(KIND_DONE, done_body(intent))
        journal.append(KIND_TOTALS, totals_body(intent), ride=True)
        journal.checkpoint()  # as the daemon does between two cards
    log_kib = (folder / "journal.db-wal").stat().st_size / 1024
    journal.close()
    os.close(bare)
    steady = len(ours_ns) // 5
    ours_ns, bare_ns = ours_ns[steady:], bare_ns[steady:]
    rows = {}
    for percent in (50, 99):
        ratio = percentile(ours_ns, percent) / percentile(bare_ns, percent)
        rows[f"journal.commit_ratio.p{percent}"] = Figure(
            ratio,
            "times",
            COMMIT_RATIO,
            f"append() of one record, {milliseconds(ours_ns, percent):.3f} ms, signature and "
            f"indexes included, over write and fdatasync of the same bytes to a file, "
            f"{milliseconds(bare_ns, percent):.3f} ms, in turn; {len(ours_ns)} records, a "
            f"checkpoint after each payment, log {log_kib:.0f} KiB at most; reference: the limit",
        )
    return rows


# --- a start ---


def _starts(folder: Path, kept: Path, starts: int) -> tuple[list[float], list[float]]:
    """ms until ready and MiB afterwards, of each start after a kill."""
    shutil.copytree(kept, folder)
    ready_ms, rss_mb = [], []
    for _ in range(starts):
        _append_and_die(folder)
        _leave_cache(folder)
        started = time.perf_counter()
        with _child("serve", folder) as child:
            assert child.stdout is not None
            said = child.stdout.readline().split()
            ready_ms.append((time.perf_counter() - started) * 1000)
            if said != ["ready"]:
                raise RuntimeError(f"the journal of {kept.name} did not open")
            rss_mb.append(float(child.stdout.readline()))
            child.wait(_CHILD_S)
    shutil.rmtree(folder)
    return ready_ms, rss_mb


def _child(act: str, folder: Path) -> subprocess.Popen[str]:
    command = (sys.executable, "-m", "tests.bench.journal", act, str(folder))
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def _append_and_die(folder: Path) -> None:
    with _child("append", folder) as child:
        assert child.stdout is not None
        for _ in range(_APPENDED):
            if not child.stdout.readline():
                raise RuntimeError("the appending process ended by itself")
        child.send_signal(signal.SIGKILL)


def _leave_cache(folder: Path) -> None:
    """The next start reads the disk; needs no root, unlike drop_caches."""
    for path in folder.glob("journal.db*"):
        handle = os.open(path, os.O_RDONLY)
        os.fsync(handle)
        os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(handle)


def _open(folder: Path) -> Journal:
    """In a year: what is receipted may be pruned."""
    now_s = (START_MS + 365 * DAY_MS) / 1000 - time.monotonic()
    clock = Clock(has_rtc=True, trust_h=24, wall=lambda: now_s + time.monotonic())
    key = DeviceKey.load_or_create(folder / "device.key")
    return open_journal(folder, signer=key, clock=clock)


def _append(folder: Path) -> None:
    journal = _open(folder)
    for turn in range(100_000):
        _pay(journal, turn)
        sys.stdout.write("paid\n")
        sys.stdout.flush()


def _serve(folder: Path) -> None:
    journal = _open(folder)
    journal.append(KIND_INTENT, intent_body(f"{journal.boot}-first"))
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for turn in range(20):
        _pay(journal, turn)
        journal.checkpoint()
    batch.seal(journal)
    batch.put_out(journal)
    steps: tuple[Callable[[int], int], ...] = (journal.scrub, journal.prune)
    for _ in range(32):
        for step in steps:
            step(64)
    status = Path("/proc/self/status").read_text()
    kib = next(each for each in status.splitlines() if each.startswith("VmRSS:")).split()[1]
    sys.stdout.write(f"{int(kib) / 1024}\n")
    journal.close()


def _pay(journal: Journal, turn: int) -> None:
    """One purchase, with what it asks the journal."""
    order_no, body = f"{journal.boot}-{turn}", intent_body(card=turn)
    journal.by_order(order_no)
    journal.spent_fen(journal.clock.day(journal.clock.now().epoch_ms))
    journal.open_intents()
    journal.open_totals(body[5])
    journal.last_terminal_serial(body[3])
    intent = journal.append(KIND_INTENT, {**body, 1: order_no})
    journal.append(KIND_DONE, done_body(intent.number))
    journal.append(KIND_TOTALS, totals_body(intent.number), ride=True)


if __name__ == "__main__":
    {"append": _append, "serve": _serve}[sys.argv[1]](Path(sys.argv[2]))
