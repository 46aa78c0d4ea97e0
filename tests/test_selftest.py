"""Issue 5.2: `--self-test` says of each part whether it works, and fails when one does not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from firmware import selftest
from firmware.board import load
from firmware.journal import tlskey
from tests.test_daemon import Stand, until
from tests.waiting import SOON_S

ROOT = Path(__file__).resolve().parents[1]
DAY = 86_400


@pytest.fixture
def stand(tmp_path: Path) -> Iterator[Stand]:
    made = Stand(tmp_path)
    yield made
    made.end()


def self_test(stand: Stand) -> tuple[int, dict[str, Any]]:
    ended = subprocess.run(
        [sys.executable, "-m", "firmware", "--board", stand.board, "--self-test", "--json"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return ended.returncode, json.loads(ended.stdout)


def test_a_unit_that_runs_is_good_and_one_that_stopped_is_not(stand: Stand) -> None:
    stand.start_simulator()
    daemon = stand.start_daemon()
    until(lambda: self_test(stand)[0] == 0)
    status, told = self_test(stand)
    assert (status, told["ok"], set(told["parts"].values())) == (0, True, {"ok"})
    assert "batches wait" in told["office"]  # told, and not required
    daemon.terminate()
    daemon.wait(SOON_S)
    status, told = self_test(stand)
    assert (status, told["ok"]) == (1, False)
    assert "no terminal answers" in told["parts"]["reader"]
    assert told["parts"]["uplink"] == "the uplink process does not run"


def test_the_lock_tells_whether_the_uplink_process_lives(stand: Stand) -> None:
    board = load(stand.board)
    board.unit.data_dir.mkdir(parents=True, exist_ok=True)
    assert "never ran" in str(selftest._uplink(board))
    handle = selftest.hold_uplink_lock(board.unit.data_dir)
    assert selftest._uplink(board) is None
    os.close(handle)
    assert selftest._uplink(board) == "the uplink process does not run"


def expiring(data_dir: Path, begins: float, ends: float) -> None:
    """tls.crt, valid from .. to, in days from now."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "unit")])
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now + timedelta(begins))
    builder = builder.not_valid_after(now + timedelta(ends))
    made = builder.sign(key, hashes.SHA256())
    data_dir.mkdir(parents=True, exist_ok=True)
    (data_dir / tlskey.CERTIFICATE).write_bytes(made.public_bytes(Encoding.PEM))


@pytest.mark.parametrize(
    ("begins", "ends", "is_good"), [(-1, 1, True), (-2, -1, False), (1, 2, False)]
)
def test_a_certificate_is_good_on_its_days_alone(
    begins: float, ends: float, is_good: bool, stand: Stand
) -> None:
    board = load(stand.board)
    needs_one = replace(board.uplink, http=replace(board.uplink.http, tls=True))  # type: ignore[type-var]
    board = replace(board, uplink=needs_one)
    now = time.time()
    assert "tls.crt" in str(selftest._certificate(board, now))  # none is there
    expiring(board.unit.data_dir, begins, ends)
    assert (selftest._certificate(board, now) is None) == is_good


@pytest.mark.parametrize(
    ("wall", "newest", "ends", "is_good"),
    [
        (-300, 0, 1, True),  # the hour of the release: nobody may call the certificate too young
        (-300, 0, -1, False),  # by the newest record it ran out
        (0, -300, 1, True),
        (0, -300, -1, False),
        (-300, -400, 1, False),  # no record says otherwise
    ],
)
def test_a_board_without_a_clock_is_judged_by_its_newest_record(
    wall: int, newest: int, ends: int, is_good: bool, stand: Stand, monkeypatch: Any, capsys: Any
) -> None:
    """Moments in days from now; the certificate began two days ago."""
    board, now = load(stand.board), time.time()
    needs_one = replace(board.uplink, http=replace(board.uplink.http, tls=True))  # type: ignore[type-var]
    board = replace(board, uplink=needs_one)
    expiring(board.unit.data_dir, -2, ends)
    answer = {"parts": dict.fromkeys(selftest.PARTS[:4]), "newest_ms": (now + newest * DAY) * 1000}
    monkeypatch.setattr(selftest, "_uplink", lambda board: None)
    monkeypatch.setattr(time, "time", lambda: now + wall * DAY)
    assert selftest.run(board, lambda method, params: answer, True) == is_good
    told = json.loads(capsys.readouterr().out)
    assert (told["parts"]["certificate"] == "ok") == is_good
    assert told["clock"].startswith("ok" if wall >= newest else "not trusted: it says ")


def test_a_receipt_that_goes_while_it_is_looked_at_is_none(stand: Stand, monkeypatch: Any) -> None:
    board = load(stand.board)
    gone = [(7, board.unit.data_dir / "up" / "7.receipt")]
    monkeypatch.setattr(selftest.spool, "receipts", lambda data_dir: gone)
    assert selftest._office(board) == "no receipt lies here, 0 batches wait"
