"""Item 1 of the issue: pyscard's own tests and examples, unchanged, over the shim under install().

Against a real pcscd with four virtual cards; what asks for attributes runs in
tests/test_pyscard_libccid.py.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests import micropython, pcscd_rig, test_pyscard_libccid
from tests.pyscard_suite import cards, running, sdist

ROOT = sdist.ROOT
STRESS = "testcase_readermonitorstress.py"
# Its folders of tests; so many tests are in each (skipped by pyscard itself for not being Windows:
# frameworkpcsc, and a class each of two files).
FOLDERS = {"test": 102, "src/smartcard/test/framework": 73}
# Each example, and something of what it prints.
EXAMPLES = {
    "framework/sample_ATR.py": "checksum: 0xB9\nchecksum OK:  True\nT0  supported:  True",
    "framework/sample_CardConnectionDecorator.py": "ATR 3F 16 94 71 02",
    "framework/sample_ConsoleConnectionTracer.py": "> A0 C0 00 00 1A\n< 00 00",
    "framework/sample_CustomCardType.py": "SSC Terminal User 00 00",
    "framework/sample_CustomErrorChecker.py": "> A0 A4 00 00 02 7F 10\n<  [] 9F 1A",
    "framework/sample_ErrorChecking.py": "> A0 C0 00 00 1A",
    "framework/sample_ExclusiveCardConnection.py": "ATR 3B 16 94 71 02",
    "framework/sample_MonitorCards.py": "+Inserted:  3B 16 94 71 02",
    "framework/sample_MonitorCardsAndTransmit.py": "> A0 C0 00 00 1A",
    "framework/sample_MonitorReaders.py": "Added readers ['SSC Terminal User 00 00', ",
    "framework/sample_TransmitCardObserver.py": "9f 1a",
    "framework/sample_apduTracerInterpreter.py": "> SELECT 7F 10\n<  [] 9F 1A\n> GET RESPONSE 1A",
    "framework/sample_toHexString.py": "0x3B, 0x65, 0x00, 0x00, 0x9C, 0x11, 0x01, 0x01, 0x03",
    "scard-api/sample_getATR.py": "Protocol: 1\nATR: 0x3B 0x16 0x94 0x71 0x02",
    "scard-api/sample_getStatusChange.py": "New reader and card states are",
    "scard-api/sample_listCards.py": "",
    "scard-api/sample_listInterfaces.py": "",
    "scard-api/sample_locateCards.py": "SCardLocateCards not supported by pcsc lite",
    "scard-api/sample_readerGroups.py": "PCSC Readers in reader group ['SCard$DefaultReaders']",
    "scard-api/sample_readers.py": "SSC Terminal PSAM 00 01",
    "scard-api/sample_selectDFTelecom.py": "0x9F 0x1A",
    "scard-api/sample_transaction.py": "Transaction",
    "simple/getATR.py": "SSC Terminal PSAM 00 00 3B 16 94 71 02",
    "simple/getATR_context.py": "SSC Terminal PSAM 00 00 3B 16 94 71 02",
    "simple/selectDF_TELECOM.py": "<  [] 9F 1A",
    "simple/simpleAPDU.py": "Get Time: 6D 00",
}
pytestmark = pytest.mark.pcscd


@pytest.fixture(scope="module")
def source() -> Path:
    if reason := sdist.missing():
        pytest.skip(reason)
    return sdist.folder()


@pytest.fixture(scope="module")
def slots(source: Path) -> Iterator[cards.Slots]:
    with cards.plugged(pcscd_rig.shared()) as slots:
        yield slots


@pytest.mark.parametrize("name", FOLDERS)
def test_pyscards_own_tests_pass(
    name: str, source: Path, slots: cards.Slots, tmp_path: Path
) -> None:
    folder = tmp_path / Path(name).name
    running.copied(source / name, folder)
    with ThreadPoolExecutor(1) as beside:  # the stress test takes 15 s, and no reader
        stressed = beside.submit(stress, folder, tmp_path) if (folder / STRESS).exists() else None
        found, said = running.run_tests(folder, tmp_path / "report.xml", f"--ignore-glob=*{STRESS}")
        found.update(stressed.result() if stressed else {})
    assert len(found) == FOLDERS[name], said
    assert all(found.values()), said


def stress(folder: Path, tmp_path: Path) -> dict[str, bool]:
    """It gives the last change 0.2 s, too little on a busy machine now and then: a second go."""
    for _ in range(2):
        found, said = running.run_tests(folder, tmp_path / "stress.xml", STRESS)
        if all(found.values()):
            return found
    print(said)
    return found


def test_every_example_is_here(source: Path) -> None:
    folder = source / "src/smartcard/Examples"
    found = {str(each.relative_to(folder)) for each in folder.rglob("*.py")}
    here = {*EXAMPLES, *(f"scard-api/{each}" for each in test_pyscard_libccid.EXAMPLES)}
    assert {each for each in found if not each.startswith("wx/")} == here


@pytest.mark.parametrize("interpreter", ["cpython", "micropython"])
@pytest.mark.parametrize("name", EXAMPLES)
def test_pyscards_examples_print_what_they_print_with_pyscard(
    name: str, interpreter: str, source: Path, slots: cards.Slots, tmp_path: Path
) -> None:
    if interpreter == "micropython" and (reason := micropython.missing()):
        pytest.skip(reason)
    waits_for_a_removal = name.endswith("getStatusChange.py")
    if waits_for_a_removal:
        threading.Timer(1.0, slots.pull, [0]).start()
    example = source / "src/smartcard/Examples" / name
    program = (
        sys.executable if interpreter == "cpython" else micropython.interpreter(),
        running.PROGRAM,
    )
    done = running.run(*program, ROOT, example, cwd=tmp_path, timeout_s=60)
    if waits_for_a_removal:
        slots.plug(0)
    assert done.returncode == 0, done.stderr
    assert EXAMPLES[name] in done.stdout
    assert done.stderr == ""
