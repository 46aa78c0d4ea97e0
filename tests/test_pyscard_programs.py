"""Programs as pyscard's users write them, each run over pyscard itself and over the shim.

What a program prints, how it ends, and what the cards heard must be the same; and neither takes
much longer than the other.  tests/pyscard_programs/: one file each.  Its first lines may say

    # cards: user psam        those in at the start; both without it
    # when TEXT: STEP         once it prints TEXT; STEP: plug user, pull user, stop, start
"""

from __future__ import annotations

import difflib
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import card_server, pcscd_rig
from tests.pyscard_suite import program_cards as cards
from tests.pyscard_suite import program_runner
from tests.waiting import SOON_S

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "tests" / "pyscard_programs"
RUNNER = ROOT / "tests" / "pyscard_suite" / "program_runner.py"
PROGRAMS = sorted(FOLDER.glob("*.py"))
MARK = "\x01"
_WHEN = re.compile(r"# when (.+): (plug|pull|stop|start) ?(\w*)")

pytestmark = pytest.mark.pcscd


class Side:
    """One of the two packages: its process, which forks for each program."""

    def __init__(self, name: str, path: str) -> None:
        environment = {**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
        self._process = subprocess.Popen(
            [sys.executable, RUNNER, name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            text=True,
            bufsize=1,
        )

    def run(self, program: Path, table: cards.Table) -> dict[str, Any]:
        """What it printed, how it ended, what the cards heard."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        steps = [(each[0], each[1:]) for each in _WHEN.findall(program.read_text())]
        self._process.stdin.write(f"{program}\n")
        printed: list[str] = []
        ended: dict[str, Any] = {}
        workers = []
        while "status" not in ended:
            line = self._process.stdout.readline()
            if not line:
                raise RuntimeError("the runner ended")
            text, mark, more = line.rstrip("\n").partition(MARK)
            ended |= json.loads(more) if mark else {}
            if text or not mark:
                printed.append(text.replace("firmware.drivers.smartcard", "smartcard"))
            for wanted, step in steps:
                if wanted in text:
                    workers.append(threading.Thread(target=table.do, args=step))
                    workers[-1].start()
        for worker in workers:
            worker.join(SOON_S)
        return {"printed": printed, **ended, "heard": table.heard()}

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(SOON_S)


@pytest.fixture(scope="module")
def sides() -> Iterator[tuple[Side, Side]]:
    script = ROOT / "tools" / "build_pyscard.sh"
    done = subprocess.run([script, "--where"], capture_output=True, text=True, timeout=SOON_S)
    place = done.stdout.strip()
    if done.returncode or not Path(place).is_dir():
        pytest.skip("pyscard is not built: run tools/install_test_packages.sh")
    os.environ["PCSCLITE_CSOCK_NAME"] = str(pcscd_rig.SOCKET)
    both = Side("ours", str(ROOT)), Side("theirs", place)
    yield both
    for side in both:
        side.close()


@pytest.fixture(scope="module")
def table() -> Iterator[cards.Table]:
    server = card_server.shared()
    yield cards.Table(server)
    server.pull_all()


def differences(ours: dict[str, Any], theirs: dict[str, Any]) -> str:
    lines = [
        [*each.pop("printed"), *each.pop("heard"), *(f"{name}: {each[name]}" for name in each)]
        for each in (ours, theirs)
    ]
    return "\n".join(difflib.unified_diff(*lines, "ours", "pyscard", "", "", 0, ""))


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda path: path.stem)
def test_a_program_does_the_same_over_both(
    program: Path, sides: tuple[Side, Side], table: cards.Table
) -> None:
    wanted = re.search(r"^# cards:(.*)$", program.read_text(), re.M)
    slots = ("user psam" if wanted is None else wanted[1]).split()
    told = []
    for side in sides:
        table.lay(slots)
        told.append(side.run(program, table))
    ours, theirs = told
    assert ours["status"] != program_runner.KILLED
    took, limit = ours.pop("took"), theirs.pop("took")
    assert differences(ours, theirs) == ""
    assert took < 2 * limit + SOON_S
    assert limit < 2 * took + SOON_S
