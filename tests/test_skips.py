"""No test is skipped in silence (issue: "skipped by name and counted; under CI=true a skip is a
failure"), shown on sessions of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
CONFTEST = (ROOT / "tests" / "conftest.py").read_text(encoding="utf-8")

SKIPS = """
import pytest
def test_runs(): pass
@pytest.mark.skip(reason="no such reader")
def test_without_reader(): pass
def test_gives_up(): pytest.skip("no such slot")
@pytest.mark.xfail
def test_expected(): assert False
"""
MODULE_SKIPS = "import pytest\npytest.skip('no such module', allow_module_level=True)\n"
MARKED = "import pytest\n@pytest.mark.pcscd\ndef test_real_reader(): pass\n"
RUNS = "def test_runs(): pass\n"


def session(folder: Path, source: str, ci: str, *options: str) -> subprocess.CompletedProcess[str]:
    (folder / "conftest.py").write_text(CONFTEST, encoding="utf-8")
    (folder / "test_it.py").write_text(source, encoding="utf-8")
    (folder / "pytest.ini").write_text("[pytest]\nmarkers = pcscd\n", encoding="utf-8")
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "CI": ci}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options, "."]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60
    )


@pytest.mark.parametrize("options", [(), ("-n", "2")], ids=["one process", "xdist"])
def test_skips_are_named_and_counted_and_fail_under_ci(tmp_path, options):
    at_home, under_ci = (session(tmp_path, SKIPS, ci, *options) for ci in ("", "true"))
    assert at_home.returncode == 0, at_home.stdout
    assert " 2 skipped " in at_home.stdout
    assert "test_it.py::test_without_reader: no such reader" in at_home.stdout
    assert "test_it.py::test_gives_up: no such slot" in at_home.stdout
    assert under_ci.returncode == pytest.ExitCode.TESTS_FAILED
    assert "2 skipped, which fails the run under CI=true" in under_ci.stdout


def test_a_module_that_skips_itself_counts(tmp_path):
    result = session(tmp_path, MODULE_SKIPS + RUNS, "true")
    assert "1 skipped" in result.stdout
    assert "test_it.py: no such module" in result.stdout
    assert result.returncode != 0


def test_a_run_without_skips_passes_under_ci(tmp_path):
    result = session(tmp_path, RUNS, "true")
    assert result.returncode == 0, result.stdout
    assert "skipped" not in result.stdout


def test_marked_tests_skip_with_the_reason_why_there_is_no_pcscd(tmp_path):
    """Made so by a PATH without pcscd: the same for root and for a user."""
    source = "import tests.pcscd_rig as rig\nrig._path = lambda: '/nowhere'\n" + MARKED
    result = session(tmp_path, source, "")
    assert "test_it.py::test_real_reader: " in result.stdout
    assert result.returncode == 0
