"""`make bench`: the numbers of this firmware, in a table and in build/bench.json.

What each row means and how far to trust it: docs/performance.md.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench import (
    boot,
    contact,
    daemon,
    display,
    dump,
    exchanges,
    flash,
    floor,
    image,
    ingest,
    journal,
    pace,
    pad,
    records,
    serialline,
    shim,
    stoplist,
    storm,
    syncs,
    terminal_idle,
    units,
    wire,
)
from tests.bench.figure import Figure, Figures, table, write

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Extent:
    """How much is measured."""

    payments: int = 2000
    traced_payments: int = 20
    records: int = 100_000
    many_records: int = 1_000_000
    few_records: int = 1000
    stopped_cards: int = 1_000_000
    starts: int = 7
    rest_s: float = 4.0  # beyond the quiet seconds after which the log is moved
    line_payments: int = 200  # three records each
    frames: int = 50  # of each message of a payment
    day_records: int = 5000  # of one pharmacy
    storm_terminals: int = 10_000
    shim_blocks: int = 100
    shim_exchanges: int = 400
    shim_imports: int = 41
    insertions: int = 40
    idle_s: float = 30.0
    contact_exchanges: int = 4000
    contact_purchases: int = 7
    pad_s: float = 20.0
    pad_presses: int = 100
    card_mb: int = 1024
    card_turns: int = 5
    is_image_started: bool = True
    office: ingest.Load = field(default_factory=ingest.Load)


QUICK = Extent(
    payments=40,
    traced_payments=3,
    records=900,
    many_records=900,
    few_records=300,
    stopped_cards=4000,
    starts=1,
    rest_s=0.2,
    line_payments=20,
    frames=2,
    day_records=600,
    storm_terminals=20,
    shim_blocks=3,
    shim_exchanges=60,
    shim_imports=2,
    insertions=2,
    idle_s=1.0,
    contact_exchanges=100,
    contact_purchases=1,
    pad_s=0.3,
    pad_presses=2,
    card_mb=32,
    card_turns=1,
    is_image_started=False,
    office=ingest.QUICK,
)


def main(argv: list[str] | None = None) -> None:
    arguments = _arguments(argv)
    figures = measure(arguments.folder, QUICK if arguments.quick else Extent())
    print(table(figures))
    write(arguments.out, figures)
    print(f"\nwritten to {arguments.out}, with notes; what they mean: docs/performance.md")


def measure(folder: Path, extent: Extent) -> Figures:
    """Every row.  folder: on the disk to be measured; a large journal is kept there."""
    folder.mkdir(parents=True, exist_ok=True)
    before = os.getloadavg()[0]
    large = _large_journal(folder, extent.records)
    with tempfile.TemporaryDirectory(dir=folder, prefix="run-") as name:
        parts = ("exchanges", "syncs", "pace", "floor", "daemon", "stops", "line")
        parts += ("records", "journal", "office", "storm", "idle", "contact", "flash", "boot")
        places = [Path(name, each) for each in parts]
        for place in places:
            place.mkdir()
        rows = exchanges.measure(places[0])
        rows |= syncs.measure(places[1], extent.traced_payments)
        rows |= pace.measure(places[2], extent.payments)
        rows |= floor.measure(places[3], extent.payments // 4)
        rows |= dump.measure(places[3])
        rows |= stoplist.measure(places[5], folder, extent.stopped_cards)
        rows |= ingest.measure(places[9], folder, extent.office)
        rows |= records.measure(places[7], extent.payments // 10)
        many, few = (_large_journal(folder, n) for n in (extent.many_records, extent.few_records))
        rows |= journal.measure(places[8], many, few, extent.payments // 4, extent.starts)
        rows |= daemon.measure(places[4], large, extent.starts, extent.rest_s)
        rows |= shim.measure(extent.shim_blocks, extent.shim_exchanges, extent.shim_imports)
        rows |= terminal_idle.measure(places[11], extent.insertions, extent.idle_s)
        rows |= contact.measure(places[12], extent.contact_exchanges, extent.contact_purchases)
        rows |= flash.measure(places[13], extent.card_mb, extent.card_turns)
        rows |= boot.measure(places[14], extent.is_image_started)
        rows |= wire.measure(extent.day_records)
        rows |= display.measure(extent.frames)
        rows |= pad.measure(extent.pad_s, extent.pad_presses)
        rows |= serialline.measure(places[6], extent.line_payments)
        rows |= storm.measure(places[10], folder, extent.storm_terminals)
    rows |= units.measure()
    rows |= image.measure(folder)
    rows["machine.load"] = _load(before)
    return rows


def _load(before: float) -> Figure:
    note = (
        f"load average of the last minute when the bench began; at its end {os.getloadavg()[0]:.2f}"
        "; reference: the cores.  Above 1 the times are those of a busy machine"
    )
    return Figure(before, "processes", os.cpu_count(), note)


def _large_journal(folder: Path, records: int) -> Path:
    """The folder of a journal of so many records, made once for each state of its sources."""
    sources = [ROOT / "tests/large_journal.py", *sorted((ROOT / "firmware/journal").glob("*.py"))]
    state = hashlib.sha256(b"".join(each.read_bytes() for each in sources)).hexdigest()[:8]
    kept = folder / f"journal-{records}-{state}"
    if not kept.exists():
        for outdated in folder.glob(f"journal-{records}-*"):
            shutil.rmtree(outdated)
        with tempfile.TemporaryDirectory(dir=folder, prefix="making-") as name:
            made = Path(name, "journal")
            command = (sys.executable, "-m", "tests.large_journal", str(made), str(records))
            subprocess.run(command, check=True)
            made.rename(kept)
    return kept


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="every row, but measured too briefly")
    build = ROOT / "build"
    parser.add_argument("--out", type=Path, default=build / "bench.json", help="the JSON file")
    parser.add_argument(
        "--folder", type=Path, default=build / "bench", help="on the disk to be measured"
    )
    return parser.parse_args(argv)


if __name__ == "__main__":
    main()
