"""Item 1 of the issue: attributes and control commands, from a driver that has them.

The virtual readers of tests/test_pyscard_suite.py have neither.  Debian's libccid does, before
emulated serial readers; pyscard itself is asked in the same pcscd.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from simulator.ccid_device import CcidDevice
from simulator.slot import SimulatedSlot
from tests import micropython
from tests.libccid_pcscd import ESCAPE_ALLOWED, Entry, LibccidPcscd
from tests.pyscard_suite import cards, running, sdist
from tests.waiting import SOON_S

ROOT = sdist.ROOT
PROGRAM = ROOT / "tests" / "pyscard_suite" / "attributes.py"
READER = "SSC Terminal User 00 00"
# Name, model for libccid, slots.  A GemPC Twin sends back what it is sent; of the slots of a
# GemCore SIM Pro libccid never says that a card left.
MODELS = (
    ("SSC Terminal User", "GemPCTwin", 1),
    ("SSC Terminal PSAM", "GemCoreSIMPro", 2),
    ("SSC Terminal Bank", "GemPCTwin", 1),
)
# Each example, and something of what it prints.
EXAMPLES = {
    "sample_control.py": "CM_IOCTL_GET_FEATURE_REQUEST: 12 04 42 33 00 12 13 04 42 00 00 01",
    "sample_getAttrib.py": "b'SSC Terminal User 00 00\\x00'",
    "sample_pinpad.py": "Exception: Not a pinpad",
}
UNSUPPORTED, INVALID_HANDLE = 0x8010001F, 0x80100003
INVALID_PARAMETER, REMOVED_CARD = 0x80100004, 0x80100069
INSUFFICIENT_BUFFER, NOT_TRANSACTED = 0x80100008, 0x80100016
pytestmark = pytest.mark.pcscd


class Readers:
    """Four slots with a T=0 card each; slots[0] is READER's."""

    def __init__(self, folder: Path, stack: ExitStack):
        self.slots: list[SimulatedSlot] = []
        entries = []
        for name, model, count in MODELS:
            behind = [SimulatedSlot(name, threading.RLock()) for _ in range(count)]
            for number, slot in enumerate(behind, len(self.slots) + 1):
                slot.insert(cards.SimCard(number))
            self.slots += behind
            path = folder / f"reader{len(entries)}"
            stack.enter_context(CcidDevice(path, behind, echoes=model == "GemPCTwin"))
            entries.append(Entry(name, path, model))
        pcscd = stack.enter_context(LibccidPcscd(folder, entries, ESCAPE_ALLOWED))
        pcscd.wait()
        self.environment = pcscd.environment()

    def told(self, *program: object) -> dict[str, Any]:
        """What attributes.py says there, its card pulled and plugged in as it asks."""
        with subprocess.Popen(
            [str(each) for each in program],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**self.environment, "PYTHONUNBUFFERED": "1"},
        ) as process:
            ending = threading.Timer(SOON_S, process.kill)
            ending.start()
            assert process.stdout is not None
            assert process.stderr is not None
            said = ""
            for said in process.stdout:
                if said == "pull\n":
                    self.slots[0].remove()
                elif said == "plug\n":
                    self.slots[0].insert(cards.SimCard(1))
            error = process.stderr.read()
            ending.cancel()
        assert process.returncode == 0, said + error
        found: dict[str, Any] = json.loads(said)
        return found


@pytest.fixture(scope="module")
def readers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Readers]:
    with ExitStack() as stack:
        yield Readers(tmp_path_factory.mktemp("libccid"), stack)


@pytest.fixture(scope="module")
def source() -> Path:
    if reason := sdist.missing():
        pytest.skip(reason)
    return sdist.folder()


def shim(interpreter: str, *arguments: object) -> list[object]:
    """A command line."""
    if interpreter == "micropython":
        if reason := micropython.missing():
            pytest.skip(reason)
        return [micropython.interpreter(), *arguments]
    return [sys.executable, *arguments]


def pyscard_folder() -> Path:
    where = subprocess.run(
        [ROOT / "tools" / "build_pyscard.sh", "--where"],
        capture_output=True,
        text=True,
        timeout=SOON_S,
        check=True,
    )
    folder = Path(where.stdout.strip())
    if not (folder / "smartcard").is_dir():
        pytest.skip("pyscard is not built: run tools/install_test_packages.sh")
    return folder


@pytest.fixture(scope="module")
def told_by_pyscard(readers: Readers) -> dict[str, Any]:
    path = f"PYTHONPATH={pyscard_folder()}"
    return readers.told("env", path, sys.executable, PROGRAM, ROOT, "pyscard", READER)


@pytest.fixture(scope="module", params=["cpython", "micropython"])
def told(request: pytest.FixtureRequest, readers: Readers) -> dict[str, Any]:
    command = shim(request.param, PROGRAM, ROOT, "install", READER)
    return readers.told(*command)


def test_the_shim_is_told_what_pyscard_is_told(
    told: dict[str, Any], told_by_pyscard: dict[str, Any]
) -> None:
    assert told == told_by_pyscard


def test_attributes_are_the_drivers(told: dict[str, Any]) -> None:
    atr = list(cards.SimCard(1).atr)
    assert told["ATR_STRING"] == [0, atr]
    assert told["getAttrib"] == atr
    assert told["SCARD_ATTR_DEVICE_SYSTEM_NAME_A"] == [0, [*READER.encode(), 0]]
    assert told["SCARD_ATTR_ICC_PRESENCE"] == [0, [2]]
    assert told["SCARD_ATTR_MAXINPUT"] == [0, [0x05, 0x01, 0, 0]]  # 261, little-endian
    assert told["VENDOR_NAME"] == [0, []]  # a value may be empty
    assert told["bounded getAttrib"] == [0x05, 0x01, 0, 0]
    assert told["unknown attribute"] == [UNSUPPORTED, []]
    assert told["getAttrib refused"] == ["SmartcardException", UNSUPPORTED]
    assert (told["set"], told["set unknown"]) == (UNSUPPORTED, UNSUPPORTED)
    assert told["set nothing"] == INVALID_PARAMETER
    assert (told["set long"], told["set too long"]) == (UNSUPPORTED, INSUFFICIENT_BUFFER)


def test_control_commands_reach_the_driver_and_the_reader(told: dict[str, Any]) -> None:
    escape, properties = 0x42000001, 0x42330012
    features = [0x12, 4, *properties.to_bytes(4, "big"), 0x13, 4, *escape.to_bytes(4, "big")]
    names = ["FEATURE_GET_TLV_PROPERTIES", properties], ["FEATURE_CCID_ESC_COMMAND", escape]
    assert told["features"] == [0, features]
    assert told["getFeatureRequest"] == list(names)
    assert (told["hasFeature"], told["has not"]) == (properties, None)
    assert told["control"] == list(b"GemTwin-V2.00-SIM")
    assert told["escape"] == told["long escape"] == [0, told["control"]]
    assert told["with list"] == told["getTlvProperties"]
    assert told["with list"]["PCSCv2_PART10_PROPERTY_sFirmwareID"] == "GemTwin-V2.00-SIM"
    assert told["with list"]["PCSCv2_PART10_PROPERTY_wIdVendor"] == 0x08E6
    assert told["getPinProperties"] == {"raw": []}
    assert told["of a code"]["EntryValidationCondition"] == 7
    assert told["too long for the reader"] == [NOT_TRANSACTED, []]
    assert told["too long control"] == [INSUFFICIENT_BUFFER, []]
    assert told["unknown control"] == [UNSUPPORTED, []]
    assert told["control refused"] == ["SmartcardException", UNSUPPORTED]


def test_without_the_card_attributes_are_refused_and_the_reader_still_answers(
    told: dict[str, Any],
) -> None:
    assert told["removed: ATR_STRING"] == told["removed: VENDOR_NAME"] == [REMOVED_CARD, []]
    assert told["removed: set"] == REMOVED_CARD
    assert told["removed: escape"] == told["escape"]
    assert told["no card: ATR_STRING"] == [0, []]
    assert told["no card: ICC_PRESENCE"] == [0, [0]]
    assert told["no card: features"] == told["features"]
    for handle in ("wrong handle: ", "disconnected: "):
        for name in ("ATR_STRING", "unknown attribute", "features", "escape"):
            assert told[handle + name] == [INVALID_HANDLE, []]
        assert told[handle + "set"] == INVALID_HANDLE


def test_pyscards_own_tests_of_scard_all_pass(
    readers: Readers, source: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "scard"
    running.copied(source / "src/smartcard/test/scard", folder, readers.environment)
    report = tmp_path / "report.xml"
    found, said = running.run_tests(folder, report, environment=readers.environment)
    assert len(found) == 16, said
    assert all(found.values()), said


@pytest.mark.parametrize("interpreter", ["cpython", "micropython"])
@pytest.mark.parametrize("name", EXAMPLES)
def test_pyscards_examples_print_what_they_print_with_pyscard(
    name: str, interpreter: str, readers: Readers, source: Path, tmp_path: Path
) -> None:
    example = source / "src/smartcard/Examples/scard-api" / name
    wanted = subprocess.run(
        [sys.executable, example],
        env={**readers.environment, "PYTHONPATH": str(pyscard_folder())},
        capture_output=True,
        text=True,
        timeout=SOON_S,
        check=True,
    )
    command = shim(interpreter, running.PROGRAM, ROOT, example)
    done = running.run(*command, cwd=tmp_path, timeout_s=30, environment=readers.environment)
    if (name, interpreter) == ("sample_pinpad.py", "micropython"):
        assert "no module named 'traceback'" in done.stderr  # docs/pyscard.md says it, too
        return
    assert done.returncode == 0, done.stderr
    assert EXAMPLES[name] in done.stdout
    if interpreter == "cpython":
        assert done.stdout == wanted.stdout
    else:  # there a dict has an order of its own
        assert sorted(done.stdout.splitlines()) == sorted(wanted.stdout.splitlines())
