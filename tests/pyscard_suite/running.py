"""Runs a folder of pyscard's own tests, and its examples, over the shim under install()."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

from tests.pyscard_suite import sdist

ROOT = sdist.ROOT
PROGRAM = ROOT / "tests" / "pyscard_suite" / "program.py"
_INSTALL = "from firmware.drivers.smartcard import install; install(); "


def run(
    *command: object, cwd: Path, timeout_s: float, environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """environment: of the pcscd to speak to; without one this process' own."""
    env = {**(environment or os.environ), "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    env.pop("PYTEST_ADDOPTS", None)
    return subprocess.run(
        [str(each) for each in command],
        cwd=cwd,
        env=env,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )


def copied(source: Path, folder: Path, environment: dict[str, str] | None = None) -> None:
    """That folder of tests, with local_config.py: pyscard's own tool writes down the readers and
    cards it finds."""
    shutil.copytree(source, folder)
    config = source.parent / "configcheck.py"
    if not config.exists():
        return
    shutil.copy(config, folder.parent)
    check = f"import sys; sys.path.insert(0, {str(folder.parent)!r}); {_INSTALL}"
    check += "import configcheck as c; c.checklocalconfig()"
    run(sys.executable, "-c", check, cwd=folder, timeout_s=30, environment=environment)
    found = (folder / "local_config.py").read_text()
    assert "SSC Terminal User 00 00" in found
    assert "[]" not in found, "a reader without a card: its tests would ask nothing"


def run_tests(
    folder: Path, report: Path, *arguments: str, environment: dict[str, str] | None = None
) -> tuple[dict[str, bool], str]:
    """({FOLDER.MODULE.TEST: it passed, or failed as pyscard expects}, what was printed)."""
    options = ["-q", "-c", os.devnull, "--rootdir", str(folder), "-p", "no:cacheprovider"]
    options += ["-o", "python_files=test_*.py testcase_*.py", "-p", "tests.pyscard_suite.installed"]
    done = run(
        sys.executable,
        "-m",
        "pytest",
        *options,
        f"--junitxml={report}",
        *arguments,
        cwd=folder,
        timeout_s=100,
        environment=environment,
    )
    found = {}
    for case in ElementTree.parse(report).iter("testcase"):
        module = case.attrib["classname"].split(".")[0]
        failed = case.find("failure") is not None or case.find("error") is not None
        found[f"{folder.name}.{module}.{case.attrib['name']}"] = not failed
    return found, done.stdout[-6000:] + done.stderr[-2000:]
