"""The serial line: how much of it is payload, clean and with damage, and against lrzsz."""

from __future__ import annotations

import contextlib
import io
import multiprocessing
import os
import shutil
import subprocess
import threading
import time
from multiprocessing.synchronize import Event
from pathlib import Path

from firmware.drivers.uart import Uart, open_uart
from firmware.journal import batch, kinds, spool
from firmware.journal.enrolment import make_enrolment
from firmware.uplink import process
from firmware.uplink.serial import SerialServer
from firmware.uplink.spool import Spool
from office.__main__ import main as sscoffice
from tests import journal_maker
from tests.bench.figure import Figure
from tests.emulated_line import EmulatedLine

BAUD = 115200
BIT_ERROR_RATE = 1e-5
RECORDS_A_BATCH = 500  # the default of board.toml
CLEAN_LIMIT, DAMAGED_LIMIT = 0.95, 0.80
_LONGEST_S = 120
_PROBE_BYTES = 8000


def measure(folder: Path, purchases: int) -> dict[str, Figure]:
    """purchases: three records each; 200 of them are about 60 KB of batches."""
    sealed = _sealed(folder / "unit", purchases)
    size = sum(path.stat().st_size for path in sealed)
    line_rate = _line_rate()
    clean_s = min(_pull(folder, name, EmulatedLine()) for name in ("clean", "clean-again"))
    damaged_s = _pull(folder, "damaged", EmulatedLine(bit_error_rate=BIT_ERROR_RATE, seed=5))
    what = (
        f"{len(sealed)} batches, {size} bytes, fetched, verified, stored and receipted by "
        f"`sscoffice pull`, over a line of {line_rate:.0f} bytes/s each way (measured in this run)"
    )
    return {
        "serial.line_rate.clean": Figure(
            size / clean_s / line_rate,
            "of the line",
            CLEAN_LIMIT,
            f"{what}, {clean_s:.2f} s, the faster of two; reference: the limit, from below",
        ),
        "serial.line_rate.ber1e5": Figure(
            size / damaged_s / line_rate,
            "of the line",
            DAMAGED_LIMIT,
            f"the same with one bit in 100,000 flipped, {damaged_s:.2f} s; "
            "reference: the limit, from below",
        ),
        "serial.vs_lrzsz": _against_lrzsz(folder, sealed, clean_s),
    }


def _sealed(data_dir: Path, purchases: int) -> list[Path]:
    """Batch files of a unit whose records hold as much chance as those of real purchases."""
    data_dir.mkdir(parents=True)
    with contextlib.closing(journal_maker.open_journal(data_dir)) as journal:
        (data_dir / "enrolment.cose").write_bytes(
            make_enrolment(
                unit=journal_maker.UNIT,
                region="110000",
                time_ms=journal_maker.START_MS,
                signer=journal.signer,
            )
        )
        for turn in range(purchases):
            intent = journal.append(kinds.KIND_INTENT, _intent(turn)).number
            done = journal_maker.done_body(intent)
            done |= {key: os.urandom(4) for key in (kinds.KEY_TAC, kinds.KEY_MAC2)}
            journal.append(kinds.KIND_DONE, done)
            journal.append(kinds.KIND_TOTALS, journal_maker.totals_body(intent))
        while batch.seal(journal, RECORDS_A_BATCH):
            pass
        batch.put_out(journal)
    return [path for _, path in spool.batches(data_dir)]


def _intent(turn: int) -> dict[int, object]:
    chance = int.from_bytes(os.urandom(4), "big")
    body = journal_maker.intent_body(f"order-{turn}", chance % 10**8, account_fen=chance % 50_000)
    return body | {
        kinds.KEY_CARD_ID: os.urandom(16),
        kinds.KEY_CARD_RANDOM: os.urandom(4),
        kinds.KEY_MAC1: os.urandom(4),
        kinds.KEY_ACCOUNT_BALANCE_FEN: chance % 10**6,
    }


def _line_rate() -> float:
    """Bytes/s that arrive at one end of the line while the other one writes them in one go."""
    with EmulatedLine() as line:
        ends = [os.open(name, os.O_RDWR | os.O_NOCTTY) for name in (line.unit, line.office)]
        writer = threading.Thread(target=_write_all, args=(ends[0], bytes(_PROBE_BYTES)))
        writer.start()
        left = _PROBE_BYTES - len(os.read(ends[1], 4096))
        started, timed = time.monotonic(), left
        while left:
            left -= len(os.read(ends[1], 4096))
        seconds = time.monotonic() - started
        writer.join()
        for end in ends:
            os.close(end)
    return timed / seconds


def _write_all(fd: int, content: bytes) -> None:
    while content:
        content = content[os.write(fd, content) :]


def _pull(folder: Path, name: str, emulated: EmulatedLine) -> float:
    """Seconds from the first question until the last receipt is with the unit."""
    unit, office = folder / "unit", folder / name
    shutil.rmtree(unit / spool.UP)
    spool.make_folders(unit)
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        _done(sscoffice(["init", str(office), "--name", name]))
        request = str(unit / "enrolment.cose")
        _done(sscoffice(["enrol", request, "--yes", "--dir", str(office)]))
        with emulated as line:
            context = multiprocessing.get_context("fork")
            is_open = context.Event()
            serving = context.Process(target=_serve, args=(unit, line.unit, is_open), daemon=True)
            serving.start()
            is_open.wait(_LONGEST_S)
            started = time.monotonic()
            _done(sscoffice(["pull", "--serial", line.office, "--dir", str(office)]))
            seconds = time.monotonic() - started
            serving.terminate()
            serving.join(5)
    if len(spool.receipts(unit)) != len(spool.batches(unit)):
        raise RuntimeError("not every batch got its receipt")
    return seconds


def _serve(data_dir: Path, device: str, is_open: Event) -> None:
    def open_line() -> Uart:
        uart = open_uart(device, BAUD)
        is_open.set()
        return uart

    server = SerialServer(journal_maker.UNIT, Spool(data_dir))
    process.serve_line(server, open_line, threading.Event())


def _done(status: int) -> None:
    if status:
        raise RuntimeError(f"sscoffice ended with {status}")


def _against_lrzsz(folder: Path, sealed: list[Path], ours_s: float) -> Figure:
    if shutil.which("sz") is None or shutil.which("rz") is None:
        note = "lrzsz is not installed: run tools/install_test_packages.sh"
        return Figure(None, "times", 1.0, note)
    theirs_s = min(_zmodem(folder / f"z{block}", sealed, block) for block in (1024, 8192))
    return Figure(
        ours_s / theirs_s,
        "times",
        1.0,
        f"our {ours_s:.2f} s, verifying, storing and receipts included, over the {theirs_s:.2f} s "
        "in which sz and rz only copy the same files over the same clean line, in blocks of 1 or "
        "8 KB, the faster; reference: the limit",
    )


def _zmodem(folder: Path, sealed: list[Path], block: int) -> float:
    """Seconds for the same files by ZMODEM in one session, both programs starting together.

    The session is over when the first of the two ends: behind its last word, "OO", sz discards
    what a pty has not passed on yet, and rz may wait half a minute for it.
    """
    folder.mkdir()
    options = ["--try-8k"] if block > 1024 else []
    commands = (["rz", "--binary"], ["sz", "--binary", *options, *map(str, sealed)])
    with EmulatedLine() as line:
        ends = [os.open(name, os.O_RDWR | os.O_NOCTTY) for name in (line.office, line.unit)]
        started = time.monotonic()
        programs = [
            subprocess.Popen(
                [*command, "--quiet"], cwd=folder, stdin=end, stdout=end, stderr=subprocess.DEVNULL
            )
            for command, end in zip(commands, ends, strict=True)
        ]
        while all(each.poll() is None for each in programs):
            if time.monotonic() > started + _LONGEST_S:
                break
            time.sleep(0.002)
        seconds = time.monotonic() - started
        for each in programs:
            each.kill()
            each.wait()
        for end in ends:
            os.close(end)
    for path in sealed:
        if (folder / path.name).read_bytes() != path.read_bytes():
            raise RuntimeError(f"{path.name} did not cross whole")
    return seconds


if __name__ == "__main__":
    import tempfile

    from tests.bench.figure import table

    with tempfile.TemporaryDirectory() as name:
        rows = measure(Path(name), 200)
        print(table(rows), *(each.note for each in rows.values()), sep="\n")
