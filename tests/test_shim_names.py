"""The shim held against pyscard itself: its names, its constants, and what it makes of values."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.waiting import SOON_S

ROOT = Path(__file__).parent.parent
SCRIPT = ROOT / "tests" / "pyscard_suite" / "described.py"
# Names that pyscard's modules have by accident (loop variables, imports of other packages), and
# what docs/pyscard.md says is otherwise.
NOT_OURS = {
    "smartcard.CardMonitoring": {"Event", "Lock", "Thread", "CardMonitor", "CardMonitoringThread"},
    "smartcard.ReaderMonitoring": {"Event", "Thread", "ReaderMonitoringThread"},
    "smartcard.pcsc.PCSCPart10": {"k"},
    "smartcard.pcsc.PCSCCardRequest": {"datetime"},
    "smartcard.Synchronization": {"Any", "Iterable", "Protocol", "TypeVar", "ParamSpec"},
}
MODULES_LEFT_OUT = {"smartcard.wx"}


def described(*arguments: str, path: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, SCRIPT, *arguments],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


@pytest.fixture(scope="module")
def ours() -> dict[str, Any]:
    return described("install", path=str(ROOT))


@pytest.fixture(scope="module")
def theirs() -> dict[str, Any]:
    script = ROOT / "tools" / "build_pyscard.sh"
    done = subprocess.run([script, "--where"], capture_output=True, text=True, timeout=SOON_S)
    place = done.stdout.strip()
    if done.returncode or not Path(place).is_dir():
        pytest.skip("pyscard is not built: run tools/install_test_packages.sh")
    return described(path=place)


def test_no_module_is_missing(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    assert len(theirs["names"]) > 40
    assert set(theirs["names"]) <= set(ours["names"])


def test_no_constant_is_missing_added_or_another(
    ours: dict[str, Any], theirs: dict[str, Any]
) -> None:
    for module in ("smartcard.scard", "smartcard.scard.scard", "smartcard.pcsc.PCSCPart10"):
        mine, others = (
            {name: value for name, value in each["names"][module].items() if name.isupper()}
            for each in (ours, theirs)
        )
        assert mine == others
        assert len(others) > 15


def test_no_function_class_or_method_is_missing(
    ours: dict[str, Any], theirs: dict[str, Any]
) -> None:
    missing = []
    for module, names in theirs["names"].items():
        mine = ours["names"][module]
        for name, what in names.items():
            if name in NOT_OURS.get(module, ()) or name.isupper() or is_imported(module, name):
                continue
            if name not in mine:
                missing.append(f"{module}.{name}")
            elif isinstance(what, dict):
                missing += [f"{module}.{name}.{each}" for each in what if each not in mine[name]]
    assert missing == []


def is_imported(module: str, name: str) -> bool:
    """pyscard's modules show what they import from each other, too."""
    return (
        (module, name)
        in {
            ("smartcard.Card", "readers"),
            ("smartcard.CardType", "readers"),
            ("smartcard.CardRequest", "PCSCCardRequest"),
            ("smartcard.pcsc.PCSCReader", "CardConnectionDecorator"),
            ("smartcard.pcsc.PCSCReader", "PCSCCardConnection"),
            ("smartcard.Observer", "synchronize"),
            ("smartcard.ReaderMonitoring", "synchronize"),
            ("smartcard.pcsc.PCSCReaderGroups", "error"),
        }
        or (name.endswith("Exception") and not module.endswith("Exceptions"))
        or name[:5] == "SCard"
    )


def test_parameters_have_pyscards_names(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    other = []
    compared = 0
    for module, names in theirs["names"].items():
        for name, what in names.items():
            mine = ours["names"][module].get(name)
            pairs = [(name, what, mine)]
            if isinstance(what, dict) and isinstance(mine, dict):
                pairs = [(f"{name}.{each}", what[each], mine.get(each)) for each in what]
            for path, theirs_are, ours_are in pairs:
                if theirs_are and ours_are and isinstance(theirs_are, list):
                    compared += 1
                    if ours_are[: len(theirs_are)] != theirs_are:
                        other.append((f"{module}.{path}", theirs_are, ours_are))
    assert compared > 200
    assert other == []


def test_values_come_out_alike(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    """Hex, GUIDs, ATRs, GSM's alphabet, and each status word under each checker."""
    assert len(theirs["said"]) > 6000
    assert theirs["said"].count("CUT SHORT") < 100
    for mine, other in zip(ours["said"], theirs["said"], strict=True):
        if other != "CUT SHORT":
            assert mine == other
