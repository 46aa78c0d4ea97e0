"""Boots User Mode Linux for the checks of one module; a second or two.

The kernel is tools/build_uml.sh's, out of the cache.  Root is the host's, read-only over hostfs, so
what runs inside is this tree under this interpreter, with a gpiochip that is the kernel's own.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.uml.inside import MARK

ROOT = Path(__file__).resolve().parents[2]
INIT = Path(__file__).with_name("init.sh")
BOOT_S = 280.0  # two seconds and its checks, where nothing else runs
_PROBE_S = 30.0


@functools.cache
def kernel() -> Path:
    """Where it is, or will be once tools/install_test_packages.sh has run."""
    asked = subprocess.run(
        [str(ROOT / "tools" / "build_uml.sh"), "--where"],
        capture_output=True,
        text=True,
        timeout=_PROBE_S,
        check=True,
    )
    return Path(asked.stdout.strip())


@functools.cache
def missing() -> str | None:
    """What keeps it from running here, and what to do; None when nothing does."""
    if platform.machine() != "x86_64":
        return "User Mode Linux is built for x86-64 only"
    if not kernel().exists():
        return "the User Mode Linux kernel is not built: run tools/install_test_packages.sh"
    return None


@functools.cache
def results(module: str) -> dict[str, dict[str, Any]]:
    """Name of a check -> what it told; of a boot that happens once for each module.

    `trouble` is None where the check held; a check that the kernel never came to is absent.
    """
    arguments = [
        str(kernel()),
        "mem=384M",
        "root=/dev/root",
        "rootfstype=hostfs",
        "rootflags=/",
        "ro",
        f"init={INIT}",
        "con=null",
        "con0=fd:0,fd:1",
        "quiet",
        "i2c_stub.chip_addr=0x27",
        f"PYTHON={sys.executable}",
        f"PYTHONPATH={ROOT}",
        f"MODULE={module}",
        f"SEED={os.urandom(64).hex()}",
    ]
    with tempfile.TemporaryDirectory(prefix="ssc-uml-") as folder:
        return parse(_console([*arguments, f"uml_dir={folder}"], folder))


def _console(arguments: list[str], folder: str) -> str:
    """What the kernel wrote until it ended, or was ended.  folder: for what it keeps on the host;
    without one that can be written it panics."""
    # glibc 2.35 registers rseq areas, which the processes of this kernel cannot have.
    environment = {"GLIBC_TUNABLES": "glibc.pthread.rseq=0", "HOME": folder}
    process = subprocess.Popen(
        arguments,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=environment,
        start_new_session=True,  # its processes are ours: one group, ended together
    )
    try:
        console = process.communicate(timeout=BOOT_S)[0]
    except subprocess.TimeoutExpired:
        _end(process)
        console = process.communicate()[0]
    finally:
        _end(process)
    return console.decode(errors="replace")


def _end(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def parse(console: str) -> dict[str, dict[str, Any]]:
    """The marked lines; under "" the rest of the console, for whoever looks for what went wrong."""
    found: dict[str, dict[str, Any]] = {}
    rest = []
    for line in console.splitlines():
        if line.startswith(MARK):
            told = json.loads(line.removeprefix(MARK))
            found[told["name"]] = told
        elif line.strip():
            rest.append(line)
    found[""] = {"console": "\n".join(rest[-60:])}
    return found


def hold(module: str, name: str) -> dict[str, Any]:
    """What that check told; AssertionError with its traceback, or the console's end."""
    told = results(module)
    assert name in told, f"{name} was not reached:\n{told['']['console']}"
    trouble = told[name]["trouble"]
    assert trouble is None, f"inside User Mode Linux:\n{trouble}"
    return told[name]


def checks(module: Any) -> list[str]:
    """The names of a module's checks, in their order."""
    return [name for name in vars(module) if name.startswith("check_")]
