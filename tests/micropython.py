"""The real MicroPython: where it is, and what tests/both/ says when it runs there."""

from __future__ import annotations

import functools
import json
import os
import subprocess
from pathlib import Path
from typing import NamedTuple

from tests.waiting import SOON_S

ROOT = Path(__file__).resolve().parents[1]
RUNNER = ROOT / "tests" / "both" / "runner.py"
MARK = "\x1e"  # before each line of the runner's report
DEADLINE_S = 90.0


class Result(NamedTuple):
    error: str | None  # a traceback, or what became of the interpreter; None: passed
    printed: str


@functools.cache
def interpreter() -> Path:
    """Where tools/build_micropython.sh puts it; perhaps not there yet."""
    script = ROOT / "tools" / "build_micropython.sh"
    done = subprocess.run([script, "--where"], capture_output=True, text=True, timeout=SOON_S)
    return Path(done.stdout.strip() or "no-micropython")


def missing() -> str | None:
    """What to do when there is none; None when there is."""
    if interpreter().exists():
        return None
    return "MicroPython is not built: run tools/install_test_packages.sh"


def run_functions(
    path: Path, names: list[str], deadline_s: float = DEADLINE_S, root: Path = ROOT
) -> dict[str, Result]:
    """Calls those functions of one file of tests, in one process; a result for each name.

    An interpreter that dies or hangs costs the function it was in; the others run in another.
    """
    results: dict[str, Result] = {}
    left = list(names)
    while left:
        found = _run(path, left, deadline_s, root)
        if not found:
            found = {left[0]: Result("the interpreter did not come as far as this test", "")}
        results.update(found)
        left = [name for name in left if name not in results]
    return results


def _run(path: Path, names: list[str], deadline_s: float, root: Path) -> dict[str, Result]:
    command = [interpreter(), RUNNER, root, path, *names]
    pipe = subprocess.PIPE
    # Ended with the tests, should they be killed.
    command = ["setpriv", "--pdeathsig", "KILL", *command]
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=pipe, stderr=subprocess.STDOUT, env=os.environ
    ) as process:
        try:
            said, _ = process.communicate(timeout=deadline_s)
            end = f"the interpreter ended with {process.returncode}"
        except subprocess.TimeoutExpired:
            process.kill()
            said, _ = process.communicate()
            end = f"no end within {deadline_s:.0f} s"
    return results_of(said.decode(errors="replace"), end)


def results_of(said: str, end: str) -> dict[str, Result]:
    """The runner's report: MARK and {"begin": name}, what it printed, MARK and {"end", "error"}."""
    results = {}
    name, printed = None, ""
    for line in said.split("\n"):  # splitlines() would split at MARK, too
        text, mark, report = line.partition(MARK)
        printed += text if mark else text + "\n"
        if not mark:
            continue
        row = json.loads(report)
        if "begin" in row:
            name, printed = row["begin"], ""
        else:
            results[row["end"]] = Result(row["error"], printed)
            name, printed = None, ""
    if name is not None:
        results[name] = Result(end, printed)
    elif not results and printed.strip():  # the file itself could not be imported
        return {"": Result(printed, "")}
    return results
