"""Acts of an update: RAUC writes the idle slot, then the machine starts it once, on trial."""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import sys
from typing import Any

from tools.door.errors import DoorError
from tools.door.incoming import alone, named, whole
from tools.door.talk import Talk, TalkError
from tools.update import preinstall, slots, state
from tools.update.places import Places, from_environment

WAIT_S = 1800.0
TRY_S = 1000.0  # keep.py waits up to 900 s for a payment to end
REFUSED = {preinstall.PRODUCT: 1417, preinstall.BOARD: 1424, preinstall.VERSION: 1418}
"""What the unit's own handler refuses -> the number of it."""
_PER_CENT = re.compile(r"^\s*(\d{1,3})% (.{1,80})")


def installed(places: Places) -> dict[str, Any] | None:
    """What a technician installed last: slot, version, sha256; None when nothing is known."""
    try:
        found = json.loads(places.installed.read_bytes()[:4096])
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def install(talk: Talk, request: dict[str, Any]) -> dict[str, Any]:
    """rauc install of what `receive` took; its progress is told.

    Runs to its end even when the line is cut; asked again, it waits for that end.
    Raises DoorError 1409, 1410 not there, 1411 refused, or what REFUSED says of it.
    """
    places, sha256 = from_environment(), named(request)
    with alone(places, WAIT_S):
        there, on_trial = installed(places), state.trial(places)
        if there is not None and there.get("sha256") == sha256 and on_trial is not None:
            return there
        bundle = whole(places, sha256)
        if not bundle.exists():
            raise DoorError(1410, sha256)
        places.installed.unlink(missing_ok=True)
        running = slots.current(places)
        state.forget_result(places)
        try:
            _run(talk, ["rauc", f"--conf={places.rauc_conf}", "install", str(bundle)])
        except DoorError:
            tell_why(state.last_result(places))
            raise
        told = {
            "slot": "B" if running == "A" else "A",
            "sha256": sha256,
            "version": str(request.get("version"))[:40],
        }
        state.replace(places.installed, json.dumps(told))
        return told


def _run(talk: Talk, command: list[str]) -> None:
    """Raises DoorError 1411 with rauc's own words."""
    said: list[str] = []
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    ) as program:
        assert program.stdout is not None
        try:
            for line in program.stdout:
                said = [*said[-20:], line.strip()]
                if found := _PER_CENT.match(line):
                    # A cut line is met here; RAUC goes on, and so does this.
                    with contextlib.suppress(TalkError):
                        talk.tell({"say": {"per_cent": int(found[1]), "what": found[2]}})
            status = program.wait(60)
        except BaseException:  # the deadline of the act
            program.kill()
            raise
    if status:
        raise DoorError(1411, _last_words(said))


def tell_why(result: dict[str, Any] | None) -> None:
    """RAUC says no more than that a handler failed; what the handler said stands in the result.

    Raises DoorError; nothing where no handler of ours was asked, or none refused it.
    """
    if result is not None and "why" in result:
        raise DoorError(REFUSED.get(str(result.get("refused")), 1411), str(result["why"])[:300])


def _last_words(said: list[str]) -> str:
    """RAUC names the cause in its last lines: `LastError: ...`, or what the handler printed."""
    causes = [each for each in said if "LastError" in each or "refused" in each]
    return " ".join(causes or said[-2:])[-300:]


def begin(talk: Talk, request: dict[str, Any]) -> dict[str, Any]:
    """Start the slot on trial, between two payments; the machine goes down right after.

    Raises DoorError 1412 nothing is on trial, 1413 the terminal was busy all the time.
    """
    if state.trial(from_environment()) is None:
        raise DoorError(1412)
    talk.tell({"say": {"trying": True}})
    command = [sys.executable, "-m", "tools.update.keep", "--try"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=TRY_S, check=False)
    if ended.returncode == 2:
        raise DoorError(1413, ended.stderr.strip()[-200:])
    if ended.returncode:
        raise DoorError(1405, ended.stderr.strip()[-200:])
    return {"restarts": True}
