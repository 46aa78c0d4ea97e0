"""RAUC's pre-install handler: refuses what the signature alone would let in.

RAUC has verified the bundle's signature before it calls this, and mounted it; release.json lies in
the part that is signed.  Refused: another product, another board, a version below the floor, and
any update while a trial runs (the idle slot would be the committed one, the only one that is known
to start).
"""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path

from tools.image.layout import DEVICE_TREES
from tools.update import autoboot, slots, state, version
from tools.update.places import Places, from_environment

RELEASE = "release.json"
MOUNTED = "RAUC_BUNDLE_MOUNT_POINT"
PRODUCT, BOARD, VERSION, TRIAL = "product", "board", "version", "trial"
_MOST_NAMES = 4096  # bytes of the device tree's names


class RefusedError(Exception):
    """Nothing was written.  about: PRODUCT, BOARD, VERSION or TRIAL."""

    def __init__(self, about: str, words: str):
        super().__init__(words)
        self.about = about


def check(places: Places, bundle: Path) -> None:
    """bundle: where it is mounted.  Raises RefusedError, OSError, ValueError, SlotError ..."""
    own, _ = version.release(places.release)
    compatible, offered = version.release(bundle / RELEASE)
    if compatible != own:
        raise RefusedError(PRODUCT, f"the bundle is for {compatible}, this unit is {own}")
    check_board(places, bundle)
    floor = version.floor(places)
    if offered < floor:
        told = version.told
        raise RefusedError(
            VERSION, f"{told(offered)} is older than {told(floor)}, which was kept here"
        )
    running, starts = slots.current(places), autoboot.committed(places.bootcfg)
    if running != starts:
        raise RefusedError(
            TRIAL, f"slot {running} is on trial, and {starts} must stay to fall back on"
        )


def check_board(places: Places, bundle: Path) -> None:
    """A machine that is no board of ours (an emulated one) is told, and let in.

    Raises RefusedError, OSError, ValueError.
    """
    meant, named = version.boards(bundle / RELEASE), names(places.machine)
    own = [board for board, trees in DEVICE_TREES.items() if set(trees) & set(named)]
    if not own:
        machine = " ".join(named) or "nothing"
        print(f"pre-install: the machine says {machine}, no board of ours: any bundle is for it")
    elif own[0] not in meant:
        raise RefusedError(BOARD, f"the bundle is for {' '.join(meant)}, this board is {own[0]}")


def names(machine: Path) -> list[str]:
    """What the device tree says the machine is, the most exact first; none where there is no tree.

    Devicetree specification 2.3.1: a list of strings, each with a NUL behind it.
    """
    try:
        with machine.open("rb") as file:
            raw = file.read(_MOST_NAMES)
    except OSError:
        return []
    return [each for each in raw.decode("ascii", "replace").split("\0") if each]


def main() -> int:
    places = from_environment()
    try:
        check(places, Path(os.environ[MOUNTED]))
    except KeyError:
        print(f"pre-install: {MOUNTED} is not set: RAUC calls this", file=sys.stderr)
        return 2
    except (RefusedError, slots.SlotError, autoboot.AutobootError, OSError, ValueError) as error:
        about = error.about if isinstance(error, RefusedError) else ""
        with contextlib.suppress(OSError):  # RAUC does not hand on what is printed here
            state.tell(places, {"kept": False, "refused": about, "why": str(error)})
        print(f"pre-install: refused: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
