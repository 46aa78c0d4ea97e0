"""How often one purchase waits for the disk, counted at the system call by strace."""

from __future__ import annotations

import collections
import re
import shutil
import subprocess
import sys
from pathlib import Path

from tests.bench.figure import Figure

# INTENT and DONE; TOTALS rides (docs/architecture.md "One purchase")
LITERAL = 2
CALLS = ("fsync", "fdatasync", "sync_file_range", "msync", "syncfs", "sync")
_CALL = re.compile(r"^\d+ +(\w+)\(", re.MULTILINE)
_CHILD_S = 120


def measure(folder: Path, payments: int) -> dict[str, Figure]:
    """payments: of the shorter of two runs, the longer having twice as many."""
    return {"purchase.syncs": _figure(folder, payments)}


def _figure(folder: Path, payments: int) -> Figure:
    if shutil.which("strace") is None:
        return Figure(None, "syncs", LITERAL, "not measured: strace is not installed")
    try:
        once = _calls(folder, payments)
        twice = _calls(folder, 2 * payments)
    except subprocess.CalledProcessError as error:
        last = error.stderr.strip().splitlines()[-1:]
        return Figure(None, "syncs", LITERAL, f"not measured: strace: {''.join(last)}")
    per_purchase = (twice.total() - once.total()) / payments
    seen = ", ".join(f"{(twice - once)[name]} {name}" for name in sorted(twice - once))
    note = (
        f"strace of {payments} and of {2 * payments} purchases, the difference: {seen}; between "
        "cards one checkpoint, and two calls every 256 records, come on top; reference: the design"
    )
    return Figure(per_purchase, "syncs", LITERAL, note)


def _calls(folder: Path, payments: int) -> collections.Counter[str]:
    """Every sync of a process in which so many customers pay, by name of the call."""
    trace = folder / f"{payments}.strace"
    child = ("-m", "tests.bench.customers", str(folder / f"{payments}"), str(payments))
    watch = ("strace", "-f", "-o", str(trace), "-e", "trace=" + ",".join(CALLS))
    subprocess.run(
        [*watch, sys.executable, *child],
        check=True,
        capture_output=True,
        text=True,
        timeout=_CHILD_S,
    )
    return collections.Counter(_CALL.findall(trace.read_text()))
