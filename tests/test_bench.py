"""The bench measures every row it promises (issue: "Numbers").  No timing is asserted here."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from tests.bench import __main__ as bench
from tests.bench import boot, flash, image, ingest, shim, syncs, terminal_idle, units
from tests.bench.figure import Figure, percentile, table

ROOT = Path(__file__).resolve().parents[1]
ROWS = {
    "purchase.card_apdus",
    "purchase.psam_apdus",
    "purchase.syncs",
    "purchase.bytes_out",
    "purchase.bytes_in",
    "purchase.terminal_ms.p50",
    "purchase.terminal_ms.p99",
    "purchase.terminal_ms.p50.over_bare_commits",
    "purchase.over_floor.9600",
    "purchase.over_floor.115200",
    "purchase.terminal_nosync_ms.p50",
    "purchase.terminal_over_bare.p99",
    "card.dump_bytes_over_minimum",
    "card.dump_terminal_ms",
    "daemon.idle_rss_mb",
    "daemon.idle_rss_mb.panel",
    "daemon.ready_ms.empty",
    "daemon.ready_ms.100k",
    "stoplist.lookup_us.p99",
    "stoplist.mb",
    "stoplist.apply_diff_ms",
    *(f"unit.{name}_exposure" for name in units.MOST),
    "serial.line_rate.clean",
    "serial.line_rate.ber1e5",
    "serial.vs_lrzsz",
    "batch.bytes_per_record",
    "batch.over_incompressible",
    "record.bytes.intent",
    "record.bytes.done",
    "journal.commit_ratio.p50",
    "journal.commit_ratio.p99",
    "journal.ready_ms.1m",
    "journal.rss_mb.1m",
    *ingest.ROWS,
    *flash.NAMES,
    *image.ROWS,
    *boot.ROWS,
    *shim.UNITS,
    *terminal_idle.UNITS,
    "t0.bytes_per_s",
    "t0.pty_bytes_per_s",
    "t1.bytes_per_s",
    "t1.pty_bytes_per_s",
    "pps.saved_ms",
    "pps.saved_ms.without_ta1",
    "display.frame_ms.p50.128x64",
    "display.frame_ms.p50.240x240",
    "pad.idle_cpu_ms_per_min",
    "pad.key_ms.p50",
    "storm.lost",
    "storm.doubled",
    "storm.slowest_over_median",
    "storm.seconds",
    "machine.load",
} | {
    f"purchase.{side}_apdus.{kind}"
    for side in ("card", "psam")
    for kind in ("1_0", "2_0_without_ef06", "3_0", "3_0_contactless")
}
MAY_BE_ZERO = {"machine.load", "pps.saved_ms.without_ta1", "storm.lost", "storm.doubled"}
NEED_A_PROGRAM = {
    *boot.ROWS,
    "purchase.syncs",
    "serial.vs_lrzsz",
    *image.ROWS,
    *ingest.ROWS,
    *shim.UNITS,
    *terminal_idle.UNITS,
}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> dict:
    folder = tmp_path_factory.mktemp("bench")
    bench.main(["--quick", "--out", str(folder / "bench.json"), "--folder", str(folder / "run")])
    return json.loads((folder / "bench.json").read_text(encoding="utf-8"))


def test_every_row_has_its_five_fields_and_a_positive_value(written):
    assert set(written) == ROWS
    for name, row in written.items():
        assert list(row) == ["value", "unit", "reference", "ratio", "note"], name
        assert row["unit"], name
        assert row["note"], name
        if name not in NEED_A_PROGRAM and name not in MAY_BE_ZERO:
            assert row["value"] > 0, name
            assert row["ratio"] == pytest.approx(row["value"] / row["reference"], rel=1e-3), name


def test_m14_a_purchase_is_counted_as_designed(written):
    counted = {name: row for name, row in written.items() if "_apdus" in name}
    assert len(counted) == 10
    assert all(row["value"] == row["reference"] for row in counted.values())


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_m14_a_purchase_waits_for_the_disk_twice(written):
    """INTENT and DONE, counted at the system call."""
    assert written["purchase.syncs"]["value"] == 2
    assert "6 fdatasync" in written["purchase.syncs"]["note"]


def test_without_strace_the_row_is_there_and_says_why(monkeypatch, tmp_path: Path):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    row = syncs.measure(tmp_path, 3)["purchase.syncs"].row()
    assert (row["value"], row["ratio"]) == (None, None)
    assert "strace" in row["note"]


@pytest.mark.skipif(shutil.which("rz") is None, reason="lrzsz is not installed")
def test_the_line_is_compared_with_lrzsz(written):
    assert written["serial.vs_lrzsz"]["value"] > 0


@pytest.mark.pcscd
def test_the_rows_over_a_real_pcscd_are_measured(written):
    for name in (*shim.UNITS, *terminal_idle.UNITS):
        assert written[name]["value"] is not None, written[name]["note"]
        assert written[name]["reference"] > 0


def test_the_rows_of_a_card_are_measured(tmp_path: Path):
    rows = flash.measure(tmp_path, 8, 1)
    assert set(rows) == set(flash.NAMES)
    assert all(
        each.value or each.note.endswith("install_test_packages.sh") for each in rows.values()
    )


def test_without_pyscard_its_rows_say_why(monkeypatch):
    monkeypatch.setattr(shim, "_pyscard", lambda: "pyscard could not be built: no gcc")
    for figure in shim.measure(1, 1, 1).values():
        assert (figure.value, figure.note) == (None, "pyscard could not be built: no gcc")


def test_percentiles_are_nearest_rank():
    values = list(range(1, 201))
    assert [percentile(values, each) for each in (50, 99, 100)] == [100, 198, 200]
    assert percentile([7], 99) == 7


def test_the_table_shows_what_could_not_be_measured():
    shown = table({"a": Figure(3.14159, "ms", 2, "n"), "b": Figure(None, "ms", None, "n")})
    assert [line.split() for line in shown.splitlines()[1:]] == [
        ["a", "3.142", "ms", "2", "1.571"],
        ["b", "-", "ms", "-", "-"],
    ]


def test_the_page_explains_every_row():
    page = (ROOT / "docs" / "performance.md").read_text(encoding="utf-8")
    marks = set(re.findall(r"`([^`\n]+)`", page))
    by_kind = {row for row in ROWS if re.match(r"purchase\.\w+_apdus\.", row)}
    assert {row for row in ROWS - by_kind if row not in marks} == set()
    assert {row.split("_apdus")[1] for row in by_kind} <= marks
