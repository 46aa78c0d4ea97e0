"""Our shim against pyscard: through one pcscd, to one card; and what importing each costs."""

from __future__ import annotations

import contextlib
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from tests import micropython, pcscd_rig
from tests.bench.figure import Figure, percentile

ROOT = Path(__file__).resolve().parents[2]
OURS, THEIRS = "firmware.drivers.smartcard", "smartcard"
READER = pcscd_rig.USER_READER + " 00 00"
CLIENT = ROOT / "tests" / "bench" / "shim_client.py"
UNITS = {
    "shim.transmit_ratio.p50": "times",
    "shim.transmit_ratio.p99": "times",
    "shim.micropython_us.p50": "us",
    "shim.import_ratio.ms": "times",
    "shim.import_ratio.rss": "times",
    "shim.first_use_ratio.ms": "times",
    "shim.first_use_ratio.rss": "times",
}
_READY_S = 20.0

# What nearly every program for pyscard begins with, and what it does first.
_IMPORTS = "from {0}.System import readers\nfrom {0}.util import toBytes, toHexString\n"
_FIRST_USE = "readers()\n"
_RSS = "print(open('/proc/self/statm').read().split()[1])"


def measure(blocks: int, exchanges: int, imports: int) -> dict[str, Figure]:
    """blocks: pairs of neighbouring blocks of so many exchanges.  imports: processes of each."""
    built = _pyscard()
    reason = built if isinstance(built, str) else pcscd_rig.missing()
    if reason is not None or isinstance(built, str):
        return {name: Figure(None, unit, None, str(reason)) for name, unit in UNITS.items()}
    return _transmit(built, blocks, exchanges) | _start(built, imports)


def _pyscard() -> Path | str:
    """The folder of pyscard, or why there is none."""
    script = ROOT / "tools" / "build_pyscard.sh"
    done = subprocess.run([script], capture_output=True, text=True, timeout=300)
    if done.returncode:
        return "pyscard could not be built: " + " ".join(done.stderr.split())[-200:]
    where = subprocess.run([script, "--where"], capture_output=True, text=True, timeout=30)
    return Path(where.stdout.strip())


# --- transmit ---


def _transmit(built: Path, blocks: int, exchanges: int) -> dict[str, Figure]:
    with _pinned(), _card(pcscd_rig.shared()):
        both = (sys.executable, CLIENT, ROOT, READER, OURS, THEIRS)
        with _client(both, {"PYTHONPATH": str(built)}) as client:
            _block(client, 0, exchanges)
            _block(client, 1, exchanges)
            pairs = [
                # Which of the two comes first changes at each pair.
                _pair(client, exchanges, first=turn % 2)
                for turn in range(blocks)
            ]
        rows = {
            f"shim.transmit_ratio.p{percent}": _ratio(pairs, percent, exchanges)
            for percent in (50, 99)
        }
        rows["shim.micropython_us.p50"] = _micropython(pairs, blocks, exchanges)
    return rows


def _ratio(pairs: list[tuple[list[int], list[int]]], percent: int, exchanges: int) -> Figure:
    found = [(percentile(ours, percent), percentile(theirs, percent)) for ours, theirs in pairs]
    ours_us, theirs_us = (statistics.median(each) / 1000 for each in zip(*found, strict=True))
    ratios = [ours / theirs for ours, theirs in found]
    note = (
        f"median of {len(pairs)} neighbouring ratios ({min(ratios):.3f} to {max(ratios):.3f}), "
        f"alternating blocks of {exchanges} READ BINARY of 20 bytes; ours {ours_us:.1f}, pyscard's "
        f"{theirs_us:.1f} us; client, pcscd and card on one CPU; reference: pyscard"
    )
    return Figure(statistics.median(ratios), "times", 1.0, note)


def _micropython(pairs: list[tuple[list[int], list[int]]], blocks: int, exchanges: int) -> Figure:
    ours_us = statistics.median(percentile(ours, 50) for ours, _ in pairs) / 1000
    if reason := micropython.missing():
        return Figure(None, "us", ours_us, reason)
    with _client((micropython.interpreter(), CLIENT, ROOT, READER, OURS), {}) as client:
        _block(client, 0, exchanges)
        found = [percentile(_block(client, 0, exchanges), 50) for _ in range(blocks)]
    note = "the same file in MicroPython, same card; reference: in CPython, of the rows above"
    return Figure(statistics.median(found) / 1000, "us", ours_us, note)


Client = tuple[IO[str], IO[str]]


def _pair(client: Client, exchanges: int, first: int) -> tuple[list[int], list[int]]:
    """Nanoseconds of one block each: (ours, theirs)."""
    found = {place: _block(client, place, exchanges) for place in (first, 1 - first)}
    return found[0], found[1]


def _block(client: Client, place: int, exchanges: int) -> list[int]:
    asked, answered = client
    asked.write(f"{place} {exchanges}\n")
    asked.flush()
    times: list[int] = json.loads(answered.readline())
    return times


@contextlib.contextmanager
def _client(command: tuple[object, ...], extra: dict[str, str]) -> Iterator[Client]:
    process = subprocess.Popen(
        [str(each) for each in command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | extra,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        if process.stdout.readline() != "ready\n":
            raise RuntimeError(f"{command}: did not come up")
        yield process.stdin, process.stdout
        process.stdin.close()
        process.wait(_READY_S)
    finally:
        process.kill()
        process.wait(_READY_S)


@contextlib.contextmanager
def _card(rig: pcscd_rig.PcscdRig) -> Iterator[None]:
    """A card in the user reader, its process and pcscd on the CPU on which we are."""
    tasks = [int(each.name) for each in Path(f"/proc/{rig._process.pid}/task").iterdir()]
    before = {task: os.sched_getaffinity(task) for task in tasks}
    for task in tasks:
        os.sched_setaffinity(task, os.sched_getaffinity(0))
    command = (sys.executable, "-m", "tests.bench.shim_card", str(rig.user_port))
    process = subprocess.Popen(command, cwd=ROOT)
    try:
        ends = time.monotonic() + _READY_S
        while not _is_seen():
            if time.monotonic() > ends:
                raise RuntimeError(f"pcscd sees no card: {rig.log()}")
            time.sleep(0.1)
        yield
    finally:
        process.kill()
        process.wait(_READY_S)
        for task, cpus in before.items():
            with contextlib.suppress(ProcessLookupError):
                os.sched_setaffinity(task, cpus)


def _is_seen() -> bool:
    from firmware.drivers.smartcard import scard

    _, context = scard.SCardEstablishContext(scard.SCARD_SCOPE_SYSTEM)
    _, states = scard.SCardGetStatusChange(context, 0, [(READER, scard.SCARD_STATE_UNAWARE)])
    scard.SCardReleaseContext(context)
    return bool(states[0][1] & scard.SCARD_STATE_PRESENT)


@contextlib.contextmanager
def _pinned() -> Iterator[None]:
    """This process, and those it starts meanwhile, on one CPU."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


# --- import ---


def _start(built: Path, runs: int) -> dict[str, Figure]:
    """Of `import`, and of `import` with the first question, for which ours loads ctypes."""
    scripts = {"bare": ""}
    for what, more in (("import", ""), ("first_use", _FIRST_USE)):
        for package in (OURS, THEIRS):
            scripts[f"{what} {package}"] = _IMPORTS.format(package) + more
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in scripts}
    with _pinned():
        for script in scripts.values():
            _run(script, built)  # the first one compiles
        for _ in range(runs):
            for name, script in scripts.items():
                found[name].append(_run(script, built))
    return {
        f"shim.{what}_ratio.{unit}": _start_row(found, what, place, unit)
        for what in ("import", "first_use")
        for place, unit in enumerate(("ms", "rss"))
    }


def _start_row(
    found: dict[str, list[tuple[float, float]]], what: str, place: int, unit: str
) -> Figure:
    bare = statistics.median(each[place] for each in found["bare"])
    ours, theirs = (
        statistics.median(
            each[place] - empty[place]
            for each, empty in zip(found[f"{what} {package}"], found["bare"], strict=True)
        )
        for package in (OURS, THEIRS)
    )
    doing = "import of System and util" + ", then readers()" * (what == "first_use")
    note = (
        f"{doing}: ours {ours:.1f}, pyscard's {theirs:.1f} {'KiB' if place else 'ms'} above the "
        f"bare interpreter ({bare:.1f}), median of {len(found['bare'])}; reference: pyscard"
    )
    return Figure(ours / theirs, "times", 1.0, note)


def _run(script: str, built: Path) -> tuple[float, float]:
    """(ms from start to end, KiB resident at its end) of one interpreter."""
    environment = {name: value for name, value in os.environ.items() if name[:6] != "PYTHON"}
    environment["PYTHONPATH"] = f"{ROOT}:{built}"
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", script + _RSS], env=environment, stdout=subprocess.PIPE, check=True
    )
    passed_ms = (time.perf_counter() - began) * 1000
    return passed_ms, int(done.stdout) * os.sysconf("SC_PAGESIZE") / 1024
