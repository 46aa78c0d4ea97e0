"""install(): the shim as `smartcard`, for a program that changes nothing else."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests import micropython
from tests.waiting import SOON_S

ROOT = Path(__file__).parent.parent


def run(program: str, interpreter: str = sys.executable) -> str:
    """What it prints; in a process of its own, with warnings as errors."""
    strict = ["-W", "error"] if interpreter == sys.executable else []
    begin = f"import sys\nsys.path.insert(0, {str(ROOT)!r})\n"
    done = subprocess.run(
        [interpreter, *strict, "-c", begin + program],
        capture_output=True,
        text=True,
        timeout=SOON_S,
    )
    return done.stdout + done.stderr


INSTALL = "from firmware.drivers.smartcard import install\ninstall()\n"


def test_the_modules_under_both_names_are_one() -> None:
    said = run(
        INSTALL + "install()\n"
        "import smartcard\n"
        "import smartcard.scard.scard\n"
        "from smartcard import Session, util\n"
        "from smartcard.Exceptions import NoCardException\n"
        "from smartcard.sw.ISO7816_4ErrorChecker import ISO7816_4ErrorChecker\n"
        "import firmware.drivers.smartcard as own\n"
        "from firmware.drivers.smartcard import Exceptions\n"
        "print(smartcard is own, NoCardException is Exceptions.NoCardException)\n"
        "print(smartcard.scard is own.scard, smartcard.pcsc.PCSCReader is own.pcsc.PCSCReader)\n"
        "print(Session is own.Session.__class__, callable(smartcard.listReaders), util.HEX)\n"
        "print(own.Exceptions.__spec__.name, sum('smartcard' in str(x) for x in sys.meta_path))\n"
    )
    assert said == "True True\nTrue True\nFalse True 2\nfirmware.drivers.smartcard.Exceptions 1\n"


def test_a_module_that_is_not_there_is_an_import_error() -> None:
    program = (
        INSTALL
        + "try:\n    import smartcard.nothing\nexcept ImportError as error:\n    print(error)\n"
    )
    assert run(program) == "No module named 'smartcard.nothing'\n"
    assert run(INSTALL + "import smartcard\nprint(hasattr(smartcard, 'nothing'))\n") == "False\n"


def test_pyscard_that_is_imported_already_is_not_replaced() -> None:
    said = run("import types\nsys.modules['smartcard'] = types.ModuleType('smartcard')\n" + INSTALL)
    assert "RuntimeError: another smartcard is imported already: call install() before" in said


def test_it_may_give_every_connection_a_deadline() -> None:
    program = (
        "from firmware.drivers.smartcard import install\ninstall(deadline_s=5)\n"
        "from smartcard.pcsc.PCSCCardConnection import PCSCCardConnection\n"
        "print(PCSCCardConnection.deadline_s)\n"
    )
    assert run(program) == "5\n"
    if reason := micropython.missing():
        pytest.skip(reason)
    assert run(program, str(micropython.interpreter())) == "5\n"


def test_importing_it_loads_nothing_else() -> None:
    said = run(
        "before = set(sys.modules)\n" + INSTALL + "from smartcard.System import readers\n"
        "new = set(sys.modules) - before\n"
        "print(sorted(x for x in new if x.startswith('firmware.drivers.smartcard')))\n"
        "print(sorted(new & {'ctypes', 'threading', 'traceback', 'warnings', 'datetime'}))\n"
    )
    own = [f"firmware.drivers.smartcard{each}" for each in ("", ".System", ".aliases")]
    assert said == f"{own}\n[]\n"


def test_micropython_finds_it_under_the_short_name() -> None:
    if reason := micropython.missing():
        pytest.skip(reason)
    said = run(
        INSTALL + "from smartcard.util import toHexString\n"
        "import smartcard.sw.SWExceptions\n"
        "print(toHexString([59]), smartcard.scard.SCARD_E_TIMEOUT)\n",
        str(micropython.interpreter()),
    )
    assert said == "3B 2148532234\n"
