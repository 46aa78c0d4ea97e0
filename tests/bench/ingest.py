"""The office's intake into a real PostgreSQL, beside a plain COPY of the same rows.

Two processes, each a collector with its own tree, take batches of 500 records with every check of
intake and a durable commit (fsync and synchronous_commit on, no unlogged table).  Batches are
made, signed and read into memory before the clock starts.
"""

from __future__ import annotations

import hashlib
import os
import queue
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import psycopg
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from firmware.journal.algorithms import EDDSA, Ed25519Signer
from office import deep, folder
from office.errors import Refused
from office.folder import Folder
from office.intake import Intake
from office.keys import DeviceKey
from tests.bench import office_batches
from tests.bench.figure import Figure, milliseconds
from tests.office_rig import enrol_key
from tests.postgres_rig import Postgres, missing

ROWS = (
    "office.ingest_per_s",
    "office.ingest_vs_copy",
    "office.deep_per_core_s",
    "office.receipt_ms.p99",
)
WORKERS = 2
TOGETHER = 40  # batches in one transaction, as many as wait in a busy collector
PER_S = 80_000
RECEIPT_MS = 250
PACE_S = 0.05  # one batch each: 10,000 records a second

SETTINGS = {
    "shared_buffers": "512MB",
    "wal_buffers": "64MB",
    "max_wal_size": "8GB",
    "checkpoint_timeout": "15min",
    "wal_compression": "off",
    "autovacuum_naptime": "5min",
}
"""fsync and synchronous_commit stay on (postgres_rig)."""


@dataclass(frozen=True)
class Load:
    """units: of each worker."""

    units: int = 20
    batches: int = 16
    records: int = 500
    paced: int = 200


QUICK = Load(units=2, batches=4, records=30, paced=4)


def measure(place: Path, keep: Path, load: Load) -> dict[str, Figure]:
    """keep: where the batches are kept; place: for the office's folder."""
    if reason := missing():
        return {name: Figure(None, "-", None, reason) for name in ROWS}
    made = _kept(keep, load)
    server = Postgres(SETTINGS, parent=place if _is_open(place) else None)
    try:
        url = server.new_database()
        folder.init(place / "office", "Bench", url)
        with closing(Folder(place / "office")) as office:
            for each in made:
                for unit in sorted(each.iterdir()):
                    enrol_key(office, unit.name, (unit / "key").read_bytes())
        busy = [each for each in made if each.name != "paced"]
        before_s = server.cpu_s()
        records, seconds, own_s = _load(place / "office", busy)
        server_s, rate = server.cpu_s() - before_s, records / seconds
        note = (
            f"{records} records in batches of {load.records}, {TOGETHER} batches a transaction, "
            f"by {WORKERS} processes; processor time of one record: {own_s / records * 1e6:.1f} us "
            f"in them and {server_s / records * 1e6:.1f} us in the server"
        )
        copied = _copy_rate(url)
        receipts_ns = _paced(place / "office", made[-1])
        deep_rate, bare_rate = _deep_rates(made[-1])
    finally:
        server.remove()
    figures = (
        Figure(rate, "records/s", PER_S, f"{note}; reference: the limit"),
        Figure(rate / copied, "times", 1, f"over a plain COPY of the same rows of records, "
               f"payments and batches into tables without keys on {WORKERS} connections, durable: "
               f"{copied:.0f} records/s"),
        Figure(deep_rate, "records/s", bare_rate, "every signature of a batch verified with all "
               "other rules by one process; reference: bare Ed25519 verifications by one process"),
        Figure(milliseconds(receipts_ns, 99), "ms", RECEIPT_MS, f"from a batch handed over to its "
               f"receipt, one batch of {load.records} each {PACE_S * 1000:.0f} ms, "
               f"{len(receipts_ns)} batches; median {milliseconds(receipts_ns):.1f} ms; "
               "reference: the limit"),
    )  # fmt: skip
    return dict(zip(ROWS, figures, strict=True))


def _is_open(place: Path) -> bool:
    """The server's user may come to a folder made here."""
    return os.geteuid() != 0 or all(each.stat().st_mode & 1 for each in (place, *place.parents))


def _kept(keep: Path, load: Load) -> list[Path]:
    """The folders of the workers' batches and of the paced ones, made once for their sources."""
    sources = [Path(office_batches.__file__), *sorted(Path("firmware/journal").glob("*.py"))]
    state = hashlib.sha256(b"".join(each.read_bytes() for each in sources)).hexdigest()[:8]
    found = keep / f"batches-{load.units}-{load.batches}-{load.records}-{state}"
    if not found.exists():
        for outdated in keep.glob(f"batches-{load.units}-{load.batches}-{load.records}-*"):
            shutil.rmtree(outdated)
        with tempfile.TemporaryDirectory(dir=keep, prefix="making-") as name:
            making = Path(name, "batches")
            with ThreadPoolExecutor(WORKERS) as together:
                list(together.map(lambda each: _make(making, *each), _parts(load)))
            making.rename(found)
    return [found / name for name, *_ in _parts(load)]


def _parts(load: Load) -> list[tuple[str, int, int, int, int]]:
    parts = [
        (f"worker-{at}", load.units, load.batches, load.records, 1 + at * load.units)
        for at in range(WORKERS)
    ]
    return [*parts, ("paced", 4, -(-load.paced // 4), load.records, 90_000)]


def _make(folder: Path, name: str, *numbers: int) -> None:
    command = (sys.executable, "-m", "tests.bench.office_batches", str(folder / name))
    subprocess.run([*command, *map(str, numbers)], check=True)


# --- under load ---


def _load(office: Path, parts: Sequence[Path]) -> tuple[int, float, float]:
    """Records, seconds from the first call to the last commit, processor time of the workers."""
    workers = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.bench.ingest", str(office), str(part), part.name],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        for part in parts
    ]  # fmt: skip
    try:
        for each in workers:
            assert each.stdout is not None
            assert each.stdout.readline().strip() == "ready"
        for each in workers:
            assert each.stdin is not None
            each.stdin.write("go\n")
            each.stdin.flush()
        said = [each.communicate(timeout=600)[0].split() for each in workers]
    finally:
        for each in workers:
            each.kill()
            each.wait()
    began, ended = min(float(each[0]) for each in said), max(float(each[1]) for each in said)
    records, own_s = sum(int(each[2]) for each in said), sum(float(each[3]) for each in said)
    return records, ended - began, own_s


def _work(office: Path, part: Path, collector: str) -> None:
    """One collector, in a process of its own."""
    files = office_batches.files(part)
    with closing(Folder(office)) as opened:
        intake = Intake(opened, collector)
        print("ready", flush=True)
        sys.stdin.readline()
        began, spent, records = time.monotonic(), time.process_time(), 0
        for start in range(0, len(files), TOGETHER):
            for taken in intake.take(files[start : start + TOGETHER]):
                assert not isinstance(taken, Refused), taken
                assert taken.is_new
                records += taken.records
        print(began, time.monotonic(), records, time.process_time() - spent)


# --- what it is compared with ---


def _copy_rate(url: str) -> float:
    """The rows the load left behind, copied into tables without keys; records a second."""
    tables = ("records", "payments", "batches")
    with psycopg.connect(url) as connection:
        units = [u for (u,) in connection.execute("SELECT unit FROM batches GROUP BY 1 ORDER BY 1")]
        for table in tables:
            connection.execute(f"CREATE TABLE plain_{table} AS TABLE {table} WITH NO DATA".encode())
            if table == "batches":
                storage = b"ALTER TABLE plain_batches ALTER COLUMN file SET STORAGE EXTERNAL"
                connection.execute(storage)
        (records,) = connection.execute("SELECT count(*) FROM records").fetchone() or (0,)
        connection.commit()
        halves = [units[at::WORKERS] for at in range(WORKERS)]
        parts = [{t: _dump(connection, t, half) for t in tables} for half in halves]
    with ThreadPoolExecutor(WORKERS) as together:
        began = time.monotonic()
        list(together.map(lambda part: _copy(url, part), parts))
        return float(records) / (time.monotonic() - began)


def _dump(connection: psycopg.Connection, table: str, units: list[str]) -> bytes:
    names = ", ".join(f"'{unit}'" for unit in units)
    query = f"COPY (SELECT * FROM {table} WHERE unit IN ({names})) TO STDOUT (FORMAT BINARY)"
    with connection.cursor().copy(query.encode()) as copy:
        return b"".join(map(bytes, copy))


def _copy(url: str, part: dict[str, bytes]) -> None:
    with psycopg.connect(url) as connection:
        for table, rows in part.items():
            statement = f"COPY plain_{table} FROM STDIN (FORMAT BINARY)".encode()
            with connection.cursor().copy(statement) as copy:
                copy.write(rows)


# --- paced, and deep ---


def _paced(office: Path, part: Path) -> list[int]:
    """Nanoseconds from the hand-over of each batch to its receipt; what waits goes together."""
    files = office_batches.files(part)
    waiting: queue.SimpleQueue[tuple[int, tuple[str, bytes]] | None] = queue.SimpleQueue()
    times_ns: list[int] = []

    def serve() -> None:
        with closing(Folder(office)) as opened:
            intake = Intake(opened, "paced")
            while (first := waiting.get()) is not None:
                group = [first]
                while not waiting.empty() and len(group) < TOGETHER:
                    following = waiting.get()
                    if following is None:
                        waiting.put(None)
                        break
                    group.append(following)
                for taken in intake.take([each for _, each in group]):
                    assert not isinstance(taken, Refused), taken
                now = time.monotonic_ns()
                times_ns.extend(now - handed for handed, _ in group)

    thread = threading.Thread(target=serve)
    thread.start()
    due = time.monotonic()
    for file in files:
        due += PACE_S
        time.sleep(max(0.0, due - time.monotonic()))
        waiting.put((time.monotonic_ns(), file))
    waiting.put(None)
    thread.join(600)
    assert len(times_ns) == len(files)
    return times_ns


def _deep_rates(part: Path) -> tuple[float, float]:
    """Records a second of `check --deep` and of bare verification, each by one process."""
    some = office_batches.files(part)[:4]
    keys = {
        unit.name: DeviceKey(EDDSA, (unit / "key").read_bytes(), 1, None) for unit in part.iterdir()
    }
    began, records = time.process_time(), 0
    for unit, file in some:
        records += deep.verify_file(file, [keys[unit]])
    spent = time.process_time() - began
    signer, message = Ed25519Signer(bytes(32)), random.Random(1).randbytes(300)
    signature = signer.sign(message)
    verify = Ed25519PublicKey.from_public_bytes(signer.public_key).verify
    count = max(50, records // 4)
    began = time.process_time()
    for _ in range(count):
        verify(signature, message)
    return records / spent, count / (time.process_time() - began)


if __name__ == "__main__":
    _work(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
