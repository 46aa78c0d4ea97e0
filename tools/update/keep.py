"""The one-shot of each start: a slot on trial is kept when the unit proves itself, else given up.

    python -m tools.update.keep            after the daemons were started
    python -m tools.update.keep --try      start the slot on trial now, between two payments

Exit status: 0 nothing on trial or kept; 1 given up (the machine starts again, from the old slot);
2 the trial was not started, for the terminal is busy or does not answer.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tools.update import autoboot, slots, state
from tools.update.card import NOBODY, ask, socket_of
from tools.update.places import Places, from_environment

PYTHON = "/usr/lib/sscterm/bin/python"
TRIES_S, BETWEEN_S = 240.0, 5.0
"""So long a fresh start may take until all of it works: readers come up, the PSAM is asked."""
LEASE_S = 120
BUSY_S = 900.0

FAULTS = (
    slots.SlotError, autoboot.AutobootError, OSError, ValueError, subprocess.SubprocessError,
)  # fmt: skip
Restart = Callable[[bool], None]
"""Start the machine again; True: by the tryboot flag, once, the other slot."""


def settle(
    places: Places,
    self_test: Callable[[], dict[str, Any]],
    mark_good: Callable[[], None],
    restart: Restart,
    wait: Callable[[float], None] = time.sleep,
    monotonic: Callable[[], float] = time.monotonic,
) -> int:
    """Raises what stands in FAULTS."""
    on_trial, running = state.trial(places), slots.current(places)
    if on_trial is None:
        return 0
    if on_trial.slot != running:
        if on_trial.was_started:  # the firmware came back by itself: the new one did not hold
            slots.give_up(places)
            state.tell(places, {"kept": False, "slot": on_trial.slot, "why": "it did not start"})
            return 1
        return 0  # installed, and not tried yet
    if autoboot.committed(places.bootcfg) == running:  # cut between the commit and its end
        slots.keep(places)
        return 0
    until = monotonic() + TRIES_S
    while True:
        told = self_test()
        if told.get("ok") is True or monotonic() >= until:
            break
        wait(BETWEEN_S)
    result: dict[str, object] = {"kept": False, "slot": running, "self_test": told}
    if told.get("ok") is True:
        try:
            mark_good()
        except FAULTS as error:
            if autoboot.committed(places.bootcfg) == running:
                raise  # it is what starts from now on: the next start ends what is left
            result["why"] = f"it could not be marked good: {error}"
        else:
            state.tell(places, result | {"kept": True})
            return 0
    slots.give_up(places)
    state.tell(places, result)
    restart(False)
    return 1


def begin(
    places: Places,
    lease: Callable[[], bool],
    restart: Restart,
    wait: Callable[[float], None] = time.sleep,
    monotonic: Callable[[], float] = time.monotonic,
) -> int:
    """Start the slot on trial as soon as no payment is under way.  Raises as `settle`."""
    on_trial = state.trial(places)
    if on_trial is None:
        return 0
    until = monotonic() + BUSY_S
    while not lease():
        if monotonic() >= until:
            return 2
        wait(BETWEEN_S)
    state.set_trial(places, state.Trial(on_trial.slot, was_started=True))
    restart(True)
    return 0


def ask_lease(path: Path) -> bool:
    """False: busy, or it does not answer.  True where no card process is there: nothing is paid."""
    answer = ask(path, "update.lease", {"seconds": LEASE_S})
    return answer is NOBODY or (answer is not None and "result" in answer)


def ask_self_test(places: Places) -> dict[str, Any]:
    """What `python -m firmware --self-test --json` prints; {} when it prints nothing of use."""
    command = [PYTHON, "-m", "firmware", "--board", str(places.board), "--self-test", "--json"]
    try:
        ended = subprocess.run(command, capture_output=True, timeout=120, check=False)
        told = json.loads(ended.stdout)
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return {}
    if not isinstance(told, dict):
        return {}
    return {**told, "ok": told.get("ok") is True and ended.returncode == 0}


def _mark_good() -> None:
    subprocess.run(["rauc", "status", "mark-good"], timeout=120, check=True)


def _restart(is_try: bool) -> None:
    subprocess.run(["reboot", *(["0 tryboot"] if is_try else [])], timeout=60, check=True)


def main() -> int:
    places = from_environment()
    try:
        if sys.argv[1:] == ["--try"]:
            return begin(places, lambda: ask_lease(socket_of(places)), _restart)
        return settle(places, lambda: ask_self_test(places), _mark_good, _restart)
    except FAULTS as error:
        print(f"keep: {error}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
