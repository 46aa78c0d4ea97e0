"""RAUC's custom boot loader backend for the Raspberry Pi's tryboot, and what a trial becomes.

install   RAUC marks the idle slot bad, writes it, then calls set-primary: a trial is noted
start     `reboot "0 tryboot"`: the firmware starts the other slot once, by itself never again
keep      mark good: autoboot.txt's one sector is overwritten, then the floor is raised
else      any other start is of the committed slot: the trial is over
"""

from __future__ import annotations

import sys

from tools.image.layout import SLOTS
from tools.update import autoboot, state, version
from tools.update.places import Places, from_environment
from tools.update.state import Trial

_CMDLINE = "rauc.slot="


class SlotError(Exception):
    """Asked for what would leave no slot that starts."""


def current(places: Places) -> str:
    """The slot that runs: what the firmware says it started, else the kernel's command line."""
    try:
        number = int.from_bytes(places.booted_from.read_bytes()[:4], "big")
    except OSError:
        number = 0
    for slot, partition in autoboot.PARTITIONS.items():
        if number == partition:
            return slot
    for word in places.cmdline.read_text().split():
        if word.startswith(_CMDLINE) and (slot := word.removeprefix(_CMDLINE)) in SLOTS:
            return slot
    raise SlotError("neither the firmware nor the kernel's command line says which slot runs")


def primary(places: Places) -> str:
    """What the next tries, else what is committed."""
    on_trial = state.trial(places)
    return autoboot.committed(places.bootcfg) if on_trial is None else on_trial.slot


def set_primary(places: Places, slot: str) -> None:
    """Put on trial.  RAUC marked it bad before it wrote; now it is whole, but for its name."""
    try:
        autoboot.name_slot(places.boot_a if slot == "A" else places.boot_b, slot)
    except (autoboot.AutobootError, OSError) as error:
        why = f"it was written and cannot be started: {error}"
        state.tell(places, {"kept": False, "slot": slot, "why": why})
        raise
    state.set_slot_state(places, slot, "good")
    state.forget_result(places)
    is_committed = slot == autoboot.committed(places.bootcfg)
    state.set_trial(places, None if is_committed else Trial(slot))


def set_state(places: Places, slot: str, value: str) -> None:
    """Good, of the running slot on trial: keep it.  Raises SlotError, AutobootError, OSError."""
    if value == "good":
        if slot == current(places):
            keep(places)
    elif slot == autoboot.committed(places.bootcfg):
        raise SlotError(f"slot {slot} is the only one that is known to start: it stays")
    elif (on_trial := state.trial(places)) is not None and on_trial.slot == slot:
        state.set_trial(places, None)
    state.set_slot_state(places, slot, value)


def keep(places: Places) -> None:
    """The running slot is what starts from now on, and nothing older may be installed.

    Cut anywhere and called again, it ends the same: the trial is forgotten last.
    """
    slot, on_trial = current(places), state.trial(places)
    if autoboot.committed(places.bootcfg) != slot:
        if on_trial is None or on_trial.slot != slot:
            raise SlotError(f"slot {slot} runs and was never put on trial")
        autoboot.commit(places.bootcfg, slot)
    version.raise_floor(places)
    if on_trial is not None and on_trial.slot == slot:
        state.set_trial(places, None)


def give_up(places: Places) -> None:
    """The trial failed: its slot is bad until something is installed there again."""
    on_trial = state.trial(places)
    if on_trial is not None:
        state.set_slot_state(places, on_trial.slot, "bad")
        state.set_trial(places, None)


def main(argv: list[str] | None = None) -> int:
    """get-primary | set-primary SLOT | get-state SLOT | set-state SLOT good|bad | get-current."""
    places = from_environment()
    try:
        match sys.argv[1:] if argv is None else argv:
            case ["get-primary"]:
                print(primary(places))
            case ["get-current"]:
                print(current(places))
            case ["get-state", ("A" | "B") as slot]:
                print(state.slot_state(places, slot))
            case ["set-primary", ("A" | "B") as slot]:
                set_primary(places, slot)
            case ["set-state", ("A" | "B") as slot, ("good" | "bad") as value]:
                set_state(places, slot, value)
            case _:
                print(main.__doc__, file=sys.stderr)
                return 2
    except (SlotError, autoboot.AutobootError, OSError, ValueError) as error:
        print(f"slots: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
