"""tests/both/: each function is a test of its own under either interpreter, and none is lost."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests import micropython

ROOT = Path(__file__).resolve().parents[1]
needs_micropython = pytest.mark.skipif(
    micropython.missing() is not None, reason=str(micropython.missing())
)

GOES_WRONG = """
import sys
IN_MICROPYTHON = sys.implementation.name == "micropython"

def test_passes():
    print("all is well")

def test_fails():
    assert not IN_MICROPYTHON

def test_dies():
    if IN_MICROPYTHON:
        import ffi
        ffi.open("libc.so.6").func("v", "abort", "")()

def test_exits():
    if IN_MICROPYTHON:
        raise SystemExit(0)

def test_hangs():
    while IN_MICROPYTHON:
        pass

def test_is_reached():
    pass
"""


def named(path: Path) -> list[str]:
    return [line[4:-3] for line in path.read_text().splitlines() if line.startswith("def test_")]


@needs_micropython
def test_what_goes_wrong_costs_one_test_and_is_told(tmp_path: Path) -> None:
    path = tmp_path / "tests" / "both" / "test_wrong.py"
    path.parent.mkdir(parents=True)
    path.write_text(GOES_WRONG)
    names = named(path)
    results = micropython.run_functions(path, names, deadline_s=6.0, root=tmp_path)
    assert list(results) == names
    errors = {name: result.error for name, result in results.items()}
    assert errors.pop("test_passes") is None
    assert errors.pop("test_is_reached") is None
    assert "AssertionError" in (errors.pop("test_fails") or "")
    assert errors.pop("test_dies") == "the interpreter ended with -6"
    assert "SystemExit" in (errors.pop("test_exits") or "")
    assert errors.pop("test_hangs") == "no end within 6 s"
    assert not errors
    assert results["test_passes"].printed == "all is well\n"


@needs_micropython
def test_a_file_that_micropython_cannot_read_fails_each_of_its_tests(tmp_path: Path) -> None:
    path = tmp_path / "test_other.py"
    path.write_text("match 1:\n    case 1: pass\ndef test_it(): pass\ndef test_too(): pass\n")
    results = micropython.run_functions(path, named(path), root=tmp_path)
    assert all("SyntaxError" in (each.error or "") for each in results.values())
    assert len(results) == 2


def test_without_an_interpreter_its_tests_are_skipped_with_what_to_do(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/both/test_apdu.py"],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "SSC_CACHE": str(tmp_path), "CI": ""},
        capture_output=True,
        text=True,
        timeout=60,
    )
    count = len(named(ROOT / "tests" / "both" / "test_apdu.py"))
    assert f"{count} passed, {count} skipped" in done.stdout
    assert "run tools/install_test_packages.sh" in done.stdout


def test_every_test_of_the_folder_can_run_there() -> None:
    """Only functions are found, so nothing else may look like a test."""
    for path in (ROOT / "tests" / "both").glob("test_*.py"):
        text = path.read_text()
        assert "import pytest" not in text, path.name
        assert "class Test" not in text, path.name
        assert named(path), path.name
