"""The demo's morning over each of the four links: the office's records are the terminals' bytes.

Issue: "the demo's morning runs over each of the four links with the same bytes in the same order".
"""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from firmware.journal.batch import make_file, take_apart
from firmware.journal.packing import pack
from office.__main__ import main
from simulator.links import NAMES
from simulator.scenes import PLACES
from tests.four_links import carry
from tests.test_demo import processes_about

pytestmark = pytest.mark.timeout(300)

ROOT = Path(__file__).resolve().parents[1]
ALLOWED_S = 240.0  # four of them at the same time
PAYMENTS = range(1, 13)  # kinds of records


@pytest.fixture(scope="module")
def mornings(tmp_path_factory):
    """link -> (exit status, what it printed, its folder); played side by side."""
    parent = tmp_path_factory.mktemp("mornings")
    playing = {
        link: subprocess.Popen(
            [sys.executable, "-m", "simulator.morning", "--link", link, "--keep", parent / link],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=ROOT,
            stdin=subprocess.DEVNULL,
        )
        for link in NAMES
    }  # fmt: skip
    try:
        said = {link: each.communicate(timeout=ALLOWED_S)[0] for link, each in playing.items()}
    finally:
        for each in playing.values():
            each.kill()
    return {link: (playing[link].returncode, said[link], parent / link) for link in NAMES}


def rows(path: Path, sql: str, *arguments: object) -> list[tuple]:
    db = sqlite3.connect(path)
    try:
        return db.execute(sql, arguments).fetchall()
    finally:
        db.close()


def journal(folder: Path, unit: str) -> list[bytes]:
    """What the terminal wrote, in order."""
    path = folder / unit / "data" / "journal.db"
    return [raw for (raw,) in rows(path, "SELECT raw FROM records ORDER BY number")]


def office(folder: Path, unit: str) -> list[bytes]:
    """The batch files as they came to the office, in order."""
    sql = "SELECT file FROM batches WHERE unit = ? ORDER BY batch"
    return [raw for (raw,) in rows(folder / "office" / "office.db", sql, unit)]


@pytest.mark.parametrize("link", NAMES)
def test_the_morning_ends_well_over(mornings, link):
    status, said, folder = mornings[link]
    assert status == 0, said
    verdict = json.loads(said.splitlines()[-1])
    assert (verdict["ok"], verdict["gaps"], verdict["duplicates"]) == (True, 0, 0)
    assert verdict["verified"] == verdict["records"] > 20
    assert processes_about(folder) == []


@pytest.mark.parametrize("link", NAMES)
def test_the_office_holds_the_bytes_the_terminals_wrote_over(mornings, link):
    """Record for record, in order; and each batch file is the one the terminal seals."""
    folder = mornings[link][2]
    for place in PLACES:
        written, files = journal(folder, place.unit), office(folder, place.unit)
        parts = [take_apart(each) for each in files]
        assert [raw for each in parts for raw in each.raws] == written
        assert [make_file(each.statement, pack(each.raws)) for each in parts] == files
        headers = "SELECT header FROM batches ORDER BY batch"
        sealed = rows(folder / place.unit / "data" / "journal.db", headers)
        assert [each.statement for each in parts] == [header for (header,) in sealed]


def test_the_same_payments_in_the_same_order_whatever_the_link(mornings):
    """Kind, order number and state of every payment record: what the scenes decide."""
    sql = (
        "SELECT kind, order_no, state, fen FROM records WHERE kind BETWEEN ? AND ? ORDER BY number"
    )
    for place in PLACES:
        told = {
            link: rows(folder / place.unit / "data" / "journal.db", sql, PAYMENTS[0], PAYMENTS[-1])
            for link, (_, _, folder) in mornings.items()
        }
        assert len(told["serial"]) > 3
        assert all(each == told["serial"] for each in told.values()), told


@pytest.fixture(scope="module")
def one_day(mornings):
    """Unit -> its enrolment request and its batch files, of the morning over the serial line."""
    folder = mornings["serial"][2]
    return {
        place.unit: (folder / place.unit / "data" / "enrolment.cose", office(folder, place.unit))
        for place in PLACES
    }


@pytest.mark.parametrize("link", NAMES)
def test_the_same_day_is_the_same_bytes_in_the_same_order_over(one_day, tmp_path, link):
    """One morning, carried four times: the office's files, and its rows, are the same each time."""
    path = carry(link, tmp_path, one_day)
    sql = "SELECT batch, file FROM batches WHERE unit = ? ORDER BY leaf"
    for unit, (_, files) in one_day.items():
        assert rows(path / "office.db", sql, unit) == list(enumerate(files, 1))
    assert main(["check", "--dir", str(path), "--deep"]) == 0
