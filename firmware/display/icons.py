"""The icon of each sign, 24 dots high and wide, from icons.txt."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from firmware.display.fonts import Bitmap, scaled

ICONS = Path(__file__).parent / "icons.txt"
SIDE = 24


@cache
def icon(sign: str, scale: int = 1) -> Bitmap:
    """KeyError for what is no sign."""
    return scaled(_drawn()[sign], scale, scale)


@cache
def disc(diameter: int) -> Bitmap:
    """A star of a PIN."""
    middle, reach = diameter - 1, diameter * diameter - 1
    places = [(2 * at - middle) ** 2 for at in range(diameter)]
    return tuple(bytes(x + y <= reach for x in places) for y in places)


@cache
def _drawn() -> dict[str, Bitmap]:
    found = {}
    for block in ICONS.read_text("ascii").split("\n\n")[1:]:
        sign, *rows = block.splitlines()
        found[sign] = tuple(bytes(dot == "#" for dot in row) for row in rows)
    return found
