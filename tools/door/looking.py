"""Acts that change nothing: what the unit is, whether it works, what its log says."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from typing import Any

from firmware.board import BoardError, load
from tools.door import incoming, updating
from tools.door.errors import DoorError
from tools.door.talk import Talk
from tools.update import autoboot, slots, state, version
from tools.update.places import Places, from_environment

LOG_UNITS = ("sscterm-*", "pcscd.service", "rauc.service")
MAX_LOG = 8 << 20  # bytes
MAX_LINES = 20_000
SELF_TEST_S = 150.0


def info(talk: Talk, request: dict[str, Any]) -> dict[str, Any]:
    """Who the unit is and where its updates stand; see docs/flash.md."""
    places = from_environment()
    unit, refused = _unit(places)
    on_trial = state.trial(places)
    return {
        "unit": unit,
        "board_refused": refused,
        "version": version.told(version.release(places.release)[1]),
        "floor": version.told(version.floor(places)),
        "running": _slot(places),
        "starts": autoboot.committed(places.bootcfg),
        "on_trial": None if on_trial is None else on_trial.slot,
        "installed": updating.installed(places),
        "last_update": state.last_result(places),
        "incoming": incoming.there(places),
        "free_mb": _free(places) // 1_000_000,
        "boot_id": places.boot_id.read_text().strip(),
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


def _unit(places: Places) -> tuple[str | None, str | None]:
    """(its id, None), or (None, why board.toml is not one)."""
    try:
        return load(places.board).unit.id, None
    except (BoardError, OSError) as error:
        return None, str(error)[:200]


def _slot(places: Places) -> str | None:
    try:
        return slots.current(places)
    except slots.SlotError:
        return None


def _free(places: Places) -> int:
    folder = places.etc if places.etc.exists() else places.etc.parent
    return shutil.disk_usage(folder).free


def selftest(talk: Talk, request: dict[str, Any]) -> dict[str, Any]:
    """What `python -m firmware --self-test --json` says.  Raises DoorError 1406."""
    board = from_environment().board
    command = [sys.executable, "-m", "firmware", "--board", str(board), "--self-test", "--json"]
    try:
        ended = subprocess.run(command, capture_output=True, timeout=SELF_TEST_S, check=False)
        told = json.loads(ended.stdout)
    except (ValueError, subprocess.TimeoutExpired):
        raise DoorError(1406, f"{board}: the self-test said nothing") from None
    if not isinstance(told, dict):
        raise DoorError(1406, f"{board}: the self-test said nothing of use")
    return told


def logs(talk: Talk, request: dict[str, Any]) -> dict[str, Any]:
    """The newest lines of our services and of the kernel, as bytes.  Raises DoorError 1404."""
    lines = request.get("lines", 5000)
    if not isinstance(lines, int) or not 1 <= lines <= MAX_LINES:
        raise DoorError(1404, f"lines: 1 to {MAX_LINES}")
    units = [word for each in LOG_UNITS for word in ("--unit", each)]
    text = _journal(lines, *units) + b"\n-- kernel --\n" + _journal(lines, "--dmesg")
    talk.tell({"bytes": len(text)})
    talk.send(text)
    return {"bytes": len(text)}


def _journal(lines: int, *which: str) -> bytes:
    command = ["journalctl", "--no-pager", "--output=short-iso", f"--lines={lines}", *which]
    ended = subprocess.run(command, capture_output=True, timeout=50, check=False)
    if ended.returncode:
        raise DoorError(1405, ended.stderr.decode(errors="replace")[-200:])
    return ended.stdout[-MAX_LOG:]
