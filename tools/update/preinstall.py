"""RAUC's pre-install handler: refuses what the signature alone would let in.

RAUC has verified the bundle's signature before it calls this, and mounted it; release.json lies in
the part that is signed.  Refused: another product, a version below the floor, and any update while
a trial runs (the idle slot would be the committed one, the only one known to start).
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from tools.update import autoboot, slots, version
from tools.update.places import Places, from_environment

RELEASE = "release.json"
MOUNTED = "RAUC_BUNDLE_MOUNT_POINT"


class RefusedError(Exception):
    """Nothing was written."""


def check(places: Places, bundle: Path) -> None:
    """bundle: where it is mounted.  Raises RefusedError, OSError, ValueError, SlotError ..."""
    own, _ = version.release(places.release)
    compatible, offered = version.release(bundle / RELEASE)
    if compatible != own:
        raise RefusedError(f"the bundle is for {compatible}, this unit is {own}")
    floor = version.floor(places)
    if offered < floor:
        told = version.told
        raise RefusedError(f"{told(offered)} is older than {told(floor)}, which was kept here")
    running, starts = slots.current(places), autoboot.committed(places.bootcfg)
    if running != starts:
        raise RefusedError(f"slot {running} is on trial, and {starts} must stay to fall back on")


def main() -> int:
    try:
        check(from_environment(), Path(os.environ[MOUNTED]))
    except KeyError:
        print(f"pre-install: {MOUNTED} is not set: RAUC calls this", file=sys.stderr)
        return 2
    except (RefusedError, slots.SlotError, autoboot.AutobootError, OSError, ValueError) as error:
        print(f"pre-install: refused: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
