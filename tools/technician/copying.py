"""bmaptool does the writing; how far it is, is read from its own counters."""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tools.technician import programs
from tools.technician.causes import said_number
from tools.technician.errors import FlashError

LOOK_S = 0.05  # between two looks at how far it is
STUCK_S = 300.0  # without one more byte: a card that does this is broken


def copy(image: Path, block_map: bytes, path: str, at: Callable[[int], None]) -> None:
    """Write the blocks of `block_map` (its text) of the image to `path`, synced when it returns.

    at: told the bytes handed over so far.  Raises FlashError 1001, 1106, 1109, 1110, 120x.
    """
    with tempfile.TemporaryDirectory() as folder:
        map_file = Path(folder, "image.bmap")
        map_file.write_bytes(block_map)
        # Whatever ends this program, its writer ends with it.
        command = [
            programs.path_of("setpriv"), "--pdeathsig", "TERM",
            programs.path_of("bmaptool"), "copy", "--bmap", str(map_file), str(image), path,
        ]  # fmt: skip
        said = Path(folder, "said")
        with said.open("wb") as out:
            copying = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
                env=programs.environment(),
            )  # fmt: skip
            try:
                _watch(copying, at)
            finally:
                if copying.poll() is None:
                    copying.kill()
                    copying.wait(programs.DEADLINE_S)
        if copying.returncode:
            raise _why(said.read_text(errors="replace"), path)


def _watch(copying: subprocess.Popen[bytes], at: Callable[[int], None]) -> None:
    done, since = -1, time.monotonic()
    while True:
        try:
            copying.wait(LOOK_S)
            return
        except subprocess.TimeoutExpired:
            now = _written(copying.pid)
        if now != done:
            done, since = now, time.monotonic()
            at(done)
        elif time.monotonic() - since > STUCK_S:
            raise FlashError(1203, f"no byte was written for {STUCK_S:.0f} s")


def _written(pid: int) -> int:
    """Bytes that the process handed to write(2); 0 when it has just ended."""
    try:
        text = Path(f"/proc/{pid}/io").read_text()
    except OSError:
        return 0
    fields = dict(line.split(": ") for line in text.splitlines())
    return int(fields.get("wchar", 0))


def _why(said: str, path: str) -> FlashError:
    last = [line for line in said.splitlines() if "ERROR" in line or "rror" in line]
    detail = " ".join((last or said.splitlines() or [""])[-1].split())[-200:]
    return FlashError(said_number(said, path), detail)
