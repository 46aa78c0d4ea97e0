"""A stop list of a million cards: one lookup, the memory it takes, one difference put in force.

Of a whole unit: the real keeper, files, signature and journal.  The list is made once, from a seed.
"""

from __future__ import annotations

import hashlib
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from firmware.journal import signedfile, spool, stoprows
from firmware.journal.cose import Ed25519Signer
from firmware.journal.signedfile import make_signed_file, split
from firmware.journal.stoprows import ROW, difference, key_of
from tests.bench.figure import Figure, milliseconds, percentile
from tests.rig import Rig

OFFICE = Ed25519Signer(b"bench office key, invented here!")
SEED = 20261122
LOOKUPS = 20_000
EDIT = {"[clock]\n": '[office]\npublic_key = "office.pub"\n[clock]\n'}


def card(serial: int) -> tuple[bytes, str]:
    chance = random.Random(SEED + serial)
    return chance.randbytes(16), f"A{serial:07}X"


def make(folder: Path, cards: int, changes: int) -> None:
    """base.cose with so many cards; change.cose with half of `changes` removed, as many new."""
    rows = {key_of(*card(serial)): 2 for serial in range(cards)}
    base = _joined(rows)
    for serial in range(0, cards, max(1, 2 * cards // changes)):
        del rows[key_of(*card(serial))]
    for serial in range(cards, cards + changes // 2):
        rows[key_of(*card(serial))] = 2
    changed = _joined(rows)
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder / "change.cose", 2, 1, changed, *difference(base, changed))
    _write(folder / "base.cose", 1, 0, base, b"", base)


def kept(folder: Path, cards: int) -> Path:
    """The folder of the two files, made once for each state of their sources (10 s a million)."""
    sources = [Path(__file__), Path(stoprows.__file__), Path(signedfile.__file__)]
    state = hashlib.sha256(b"".join(each.read_bytes() for each in sources)).hexdigest()[:8]
    found = folder / f"stoplist-{cards}-{state}"
    if not found.exists():
        for outdated in folder.glob(f"stoplist-{cards}-*"):
            shutil.rmtree(outdated)
        with tempfile.TemporaryDirectory(dir=folder, prefix="making-") as name:
            making = Path(name, "lists")
            make(making, cards, cards // 100)
            making.rename(found)
    return found


def _joined(rows: dict[bytes, int]) -> bytes:
    return b"".join(key + bytes([rows[key]]) for key in sorted(rows))


def _write(path: Path, number: int, base: int, whole: bytes, removed: bytes, added: bytes) -> None:
    counts = [base, len(removed) // 8, len(added) // ROW, len(whole) // ROW]
    body = {4: [*counts, hashlib.sha256(whole).digest()]}
    message = make_signed_file(
        what="stoplist", number=number, issued_ms=1, body=body, signer=OFFICE
    )
    spool.write_atomic(path, message + removed + added)


def measure(folder: Path, keep: Path, cards: int) -> dict[str, Figure]:
    """folder: for the unit.  keep: where the two files of so many cards are kept."""
    made = kept(keep, cards)
    command = (sys.executable, "-m", "tests.bench.stoplist", str(folder), str(made), str(cards))
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found = {name: float(value) for name, value in re.findall(r"(\w+)=([0-9.]+)", said)}
    changes = (len(split((made / "change.cose").read_bytes())[1])) / (ROW + 8) * 2
    disk = (made / "base.cose").stat().st_size / 1e6
    notes = {
        "lookup": f"{LOOKUPS} lookups among {cards} cards, half of them hits; median "
        f"{found['median_us']:.1f} us",
        "mb": "resident memory a process gains, every page of the list touched (they are the "
        f"disk's, and go when memory is short); {disk:.1f} MB on the disk; at its highest, while "
        f"the whole list and the difference came, {found['peak_mb']:.1f} MB",
        "apply": f"about {changes:.0f} changes to {cards} cards: read, verified, written, synced, "
        f"journaled; the whole list takes {found['base_ms']:.0f} ms, its check at a start "
        f"{found['start_ms']:.0f} ms; reference: a bare write and sync of a file as large",
    }
    return {
        "stoplist.lookup_us.p99": Figure(found["p99_us"], "us", 1000, notes["lookup"]),
        "stoplist.mb": Figure(found["mb"], "MB", 20, notes["mb"]),
        "stoplist.apply_diff_ms": Figure(found["apply_ms"], "ms", found["bare_ms"], notes["apply"]),
    }


def _unit(folder: Path, made: Path, cards: int) -> None:
    """In a process of its own, whose memory is its own."""
    (folder / "office.pub").write_text(OFFICE.public_key.hex())
    rig = Rig(folder, edit=EDIT)
    rig.inbox.stop_list.look()
    chance = random.Random(SEED)
    asked = [card(chance.randrange(2 * cards)) for _ in range(LOOKUPS)]
    before = _resident_mb("VmRSS")
    base_ms = _applied_ms(rig, made / "base.cose")
    apply_ms = _applied_ms(rig, made / "change.cose")
    start = time.perf_counter_ns()
    rig.restart()
    rig.inbox.stop_list.look()
    start_ms = (time.perf_counter_ns() - start) / 1e6
    bare_ms = _bare_ms(folder / "bare", (made / "base.cose").stat().st_size)
    stop_list = rig.unit.stop_list
    times_ns, hits = [], 0
    for each in asked:
        begun = time.perf_counter_ns()
        hits += stop_list.names_card(*each)
        times_ns.append(time.perf_counter_ns() - begun)
    assert 0.4 < hits / LOOKUPS < 0.6
    for at in range(0, len(stop_list), 400):
        stop_list.rows.row(at)
    gained, peak = _resident_mb("VmRSS") - before, _resident_mb("VmHWM") - before
    print(f"p99_us={percentile(times_ns, 99) / 1e3} median_us={milliseconds(times_ns) * 1e3}")
    print(f"mb={gained} peak_mb={peak} base_ms={base_ms} apply_ms={apply_ms} start_ms={start_ms}")
    print(f"bare_ms={bare_ms}")


def _applied_ms(rig: Rig, path: Path) -> float:
    spool.write_atomic(
        spool.signed_file_path(rig.board.unit.data_dir, "stoplist"), path.read_bytes()
    )
    number = rig.unit.stop_list.number
    begun = time.perf_counter_ns()
    rig.inbox.stop_list.look()
    spent = (time.perf_counter_ns() - begun) / 1e6
    assert rig.unit.stop_list.number == number + 1
    return spent


def _bare_ms(path: Path, size: int) -> float:
    content = bytes(size)
    begun = time.perf_counter_ns()
    spool.write_atomic(path, content)
    return (time.perf_counter_ns() - begun) / 1e6


def _resident_mb(name: str) -> float:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(re.search(rf"{name}:\s+(\d+) kB", status)[1]) * 1024 / 1e6


if __name__ == "__main__":
    _unit(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
