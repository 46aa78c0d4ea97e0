"""Installs a bundle that came over a link: only the one that the office announced.

    python -m tools.update.announced BUNDLE

The card process has verified the office's signed `update` file and tells version, SHA-256 and size
in its status.  Exit status: 0 installed, to be tried; 1 refused or failed.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tools.update.bundle import digest
from tools.update.card import ask, socket_of
from tools.update.places import Places, from_environment

INSTALL_S = 3600.0


class NotAnnouncedError(Exception):
    """The office's word does not cover this file."""


def check(places: Places, bundle: Path) -> str:
    """The announced version.  Raises NotAnnouncedError, OSError."""
    told: object = ask(socket_of(places), "status", {})
    for name in ("result", "office"):
        told = told.get(name) if isinstance(told, dict) else None
    office = told if isinstance(told, dict) else {}
    version, sha256, size = (office.get(f"update{each}") for each in ("", "_sha256", "_size"))
    if not isinstance(version, str):
        raise NotAnnouncedError("the office announced no update, or the card process is silent")
    if bundle.stat().st_size != size:
        raise NotAnnouncedError(f"{bundle} has not the {size} bytes of release {version}")
    if digest(bundle).hex() != sha256:
        raise NotAnnouncedError(f"{bundle} is not the bundle of release {version}")
    return version


def main() -> int:
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 1
    bundle = Path(sys.argv[1])
    try:
        check(from_environment(), bundle)
        subprocess.run(["rauc", "install", bundle], timeout=INSTALL_S, check=True)
    except (NotAnnouncedError, OSError, ValueError, subprocess.SubprocessError) as error:
        print(f"update: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
