"""A storm: every terminal of a province comes back at once, each with a week of batches."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from firmware.journal.receipt import read_receipt
from office import ca, folder
from office.folder import Folder
from tests import postgres_rig
from tests.bench import storm_world
from tests.bench.figure import Figure
from tests.bench.storm_world import BATCHES, RECORDS
from tests.office_rig import enrol_key

CLIENTS = 2
ROOT = Path(__file__).resolve().parents[2]
SOURCES = ("tests/bench/storm_world.py", "tests/bench/office_batches.py", "office/ca.py")
_PATIENCE_S = 900.0


def measure(place: Path, kept: Path, terminals: int) -> dict[str, Figure]:
    """place: an empty folder; kept: where the terminals are kept from run to run."""
    world = _world(kept, terminals)
    store = "SQLite" if postgres_rig.missing() else "PostgreSQL, fsync on"
    url = None if postgres_rig.missing() else postgres_rig.shared().new_database()
    folder.init(place / "office", "storm office", url)
    for name in ca.KEY, ca.CERTIFICATE:  # the terminals' authority becomes this office's
        shutil.copy(world / "authority" / name, place / "office" / name)
    with contextlib.closing(Folder(place / "office")) as office, office.store.transaction():
        for each in storm_world.load(world):
            enrol_key(office, each.unit, each.public_key)
    with _collector(place / "office") as port:
        told = _storm(world, port)
    with contextlib.closing(Folder(place / "office")) as office:
        found = _books(office, world)
    return _figures(terminals, store, told, found)


def _world(kept: Path, terminals: int) -> Path:
    """Made once for each state of its sources; the certificates are good for two years."""
    state = hashlib.sha256(b"".join((ROOT / each).read_bytes() for each in SOURCES)).hexdigest()
    world = kept / f"storm-{terminals}-{state[:8]}"
    if world.exists():
        return world
    for outdated in kept.glob(f"storm-{terminals}-*"):
        shutil.rmtree(outdated)
    with tempfile.TemporaryDirectory(dir=kept, prefix="making-") as name:
        made = Path(name, "world")
        (made / "authority").mkdir(parents=True)
        ca.create(made / "authority", "storm office", int(time.time() * 1000))
        share = -(-terminals // CLIENTS)
        makers = [
            subprocess.Popen(
                [sys.executable, "-m", "tests.bench.storm_world", str(made), str(first),
                 str(min(share, terminals - first))]
            )
            for first in range(0, terminals, share)
        ]  # fmt: skip
        if any(each.wait(_PATIENCE_S) for each in makers):
            raise RuntimeError("the terminals of the storm could not be made")
        made.rename(world)
    return world


@contextlib.contextmanager
def _collector(path: Path) -> Iterator[int]:
    """`sscoffice serve`, the real process; its port."""
    command = ("-m", "office", "serve", "--dir", str(path), "--listen", "127.0.0.1:0")
    process = subprocess.Popen(
        [sys.executable, *command], stdout=subprocess.PIPE, text=True, stderr=subprocess.DEVNULL
    )
    try:
        assert process.stdout is not None
        said = re.fullmatch(r"https 127\.0\.0\.1:(\d+)\n", process.stdout.readline())
        if said is None:
            raise RuntimeError("the collector does not serve")
        yield int(said[1])
    finally:
        os.kill(process.pid, signal.SIGTERM)
        process.wait(60)


def _storm(world: Path, port: int) -> list[dict[str, object]]:
    """What each client process told: seconds of its terminals, what they met."""
    clients = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.bench.storm_terminals", str(world), str(at),
             str(CLIENTS), str(port)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        for at in range(CLIENTS)
    ]  # fmt: skip
    try:
        for each in clients:
            assert each.stdout is not None
            if each.stdout.readline() != "ready\n":
                raise RuntimeError("a client of the storm did not come up")
        for each in clients:
            assert each.stdin is not None
            each.stdin.write("go\n")
            each.stdin.flush()
        return [json.loads(each.communicate(timeout=_PATIENCE_S)[0]) for each in clients]
    finally:
        for each in clients:
            if each.poll() is None:
                each.kill()
                each.wait(10)


class _Books:
    """What the office holds against what the terminals were given."""

    def __init__(self, office: Folder, world: Path):
        self.batches = _count(office, "batches")
        self.records = _count(office, "records")
        self.receipts: Counter[tuple[str, int]] = Counter()
        self.leaves: set[int] = set()
        for each in _receipts(world):
            receipt = read_receipt(each)
            self.receipts[receipt.unit, receipt.batch] += 1
            self.leaves.add(receipt.index)


def _books(office: Folder, world: Path) -> _Books:
    return _Books(office, world)


def _count(office: Folder, table: str) -> int:
    row = office.store.row(f"SELECT count(*) FROM {table}")
    assert row is not None
    return int(row[0])


def _receipts(world: Path) -> Iterator[bytes]:
    for path in sorted(world.glob("receipts-*")):
        content, at = path.read_bytes(), 0
        while at < len(content):
            length = int.from_bytes(content[at : at + 4], "big")
            yield content[at + 4 : at + 4 + length]
            at += 4 + length
        path.unlink()


def _figures(
    terminals: int, store: str, told: list[dict[str, object]], found: _Books
) -> dict[str, Figure]:
    seconds = sorted(each for one in told for each in one["seconds"])  # type: ignore[attr-defined]
    met: Counter[str] = Counter()
    for one in told:
        met.update(one["met"])  # type: ignore[arg-type]
    batches = terminals * BATCHES
    receipted = len(found.receipts)
    lost = (batches - receipted) * RECORDS + max(0, receipted * RECORDS - found.records)
    doubled = max(0, found.records - batches * RECORDS) + (receipted - len(found.leaves)) * RECORDS
    median = statistics.median(seconds) if seconds else None
    slowest = seconds[-1] if seconds else None
    answers = ", ".join(f"{name} {count}" for name, count in sorted(met.items()))
    note = (
        f"{terminals} terminals of {BATCHES} batches of {RECORDS} records at one sscoffice serve "
        f"({store}), mutual TLS 1.3 under each its own certificate, clients on the same cores; "
        f"answers: {answers}"
    )
    return {
        "storm.lost": Figure(lost, "records", 0, "without a receipt, or receipted and not stored"),
        "storm.doubled": Figure(
            doubled, "records", 0, "stored beyond those sent, or two batches under one leaf"
        ),
        "storm.slowest_over_median": Figure(
            slowest / median if slowest and median else None,
            "times",
            3,
            "from the start of the storm to a terminal's last receipt; reference: the issue",
        ),
        "storm.seconds": Figure(slowest, "s", median, f"{note}; reference: the median terminal"),
    }
