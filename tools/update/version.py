"""Versions of releases, and the floor: the newest one that was kept.  Older ones are refused.

The floor lies on the data partition and is raised only when a release was marked good.  A floor
that cannot be read is replaced by the running release's own version: no older one gets in by
spoiling a file.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from tools.update import state
from tools.update.places import Places

_VERSION = re.compile(r"(0|[1-9]\d{0,5})\.(0|[1-9]\d{0,5})\.(0|[1-9]\d{0,5})")
_MOST = 65_536  # bytes of release.json

Version = tuple[int, int, int]


def parse(words: str) -> Version:
    """ "1.2.3"; raises ValueError for any other form, pre-releases among them."""
    found = _VERSION.fullmatch(words)
    if found is None:
        raise ValueError(f"{words[:40]!r} is no version of the form 1.2.3")
    major, minor, patch = (int(each) for each in found.groups())
    return major, minor, patch


def told(version: Version) -> str:
    return ".".join(map(str, version))


def release(path: Path) -> tuple[str, Version]:
    """(compatible, version) of a release.json.  Raises OSError, ValueError."""
    with path.open("rb") as file:
        found = json.loads(file.read(_MOST))
    if not isinstance(found, dict) or not isinstance(found.get("compatible"), str):
        raise ValueError(f"{path} names no compatible")
    return found["compatible"], parse(str(found.get("version")))


def boards(path: Path) -> list[str]:
    """The boards that a release.json names.  Raises OSError, ValueError."""
    with path.open("rb") as file:
        found = json.loads(file.read(_MOST)).get("boards")
    if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
        raise ValueError(f"{path} names no boards")
    return found


def floor(places: Places) -> Version:
    """Never below the floor file and, where that is lost, the running release.  Raises as above."""
    try:
        return parse(places.floor.read_text().strip())
    except (OSError, ValueError):
        return release(places.release)[1]


def raise_floor(places: Places) -> None:
    """To the running release's version; never down.  Raises OSError, ValueError."""
    running = release(places.release)[1]
    try:
        held = parse(places.floor.read_text().strip())
    except (OSError, ValueError):
        held = (0, 0, 0)
    if running > held:
        state.replace(places.floor, told(running))
