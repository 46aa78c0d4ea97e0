"""Letters as dots: Unifont (glyphs.py) and the small letters of small.txt, at whole scales.

A bitmap is a tuple of rows from the top, one byte a dot: 1 lit, 0 not.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

from firmware.display.glyphs import HEIGHT, glyph

SMALL = Path(__file__).parent / "small.txt"
SMALL_ROWS = 9
SMALL_FIGURES = 7
SPACE = 3  # of the small letters, the gap of one dot between letters not counted

Bitmap = tuple[bytes, ...]


@dataclass(frozen=True)
class Font:
    """wide, tall: how many dots one of the font's takes.  is_figures: only the rows where figures
    are, and no more to the sides than they need."""

    wide: int = 1
    tall: int = 1
    is_small: bool = False
    is_figures: bool = False

    @property
    def height(self) -> int:
        if self.is_figures:
            rows = SMALL_FIGURES if self.is_small else len(FIGURES)
        else:
            rows = SMALL_ROWS if self.is_small else HEIGHT
        return rows * self.tall

    def width(self, text: str) -> int:
        """The last gap is not counted."""
        gap = self.gap
        return sum(len(bitmap(each, self)[0]) + gap for each in text) - (gap if text else 0)

    @property
    def gap(self) -> int:
        """Between letters; Unifont's carry their own."""
        return self.wide if self.is_small or self.is_figures else 0


FIGURES = range(4, 14)
TEXT = Font()
LITTLE = Font(is_small=True)
LITTLE_FIGURES = Font(is_small=True, is_figures=True)
DOUBLE = Font(2, 2)
TRIPLE = Font(3, 3)
LITTLE_DOUBLE = Font(2, 2, is_small=True)


@lru_cache(maxsize=256)
def bitmap(character: str, font: Font) -> Bitmap:
    rows = _small(character) if font.is_small else _unifont(character)
    if font.is_small and font.is_figures:
        rows = rows[:SMALL_FIGURES]
    elif font.is_figures:
        rows = _trimmed(tuple(rows[y] for y in FIGURES), 6 if character.isdigit() else 1)
        if character == "0":  # without the stroke, as people write money
            rows = (*rows[:2], *(row[:1] + bytes(4) + row[5:] for row in rows[2:-2]), *rows[-2:])
    return scaled(rows, font.wide, font.tall)


def scaled(rows: Bitmap, wide: int, tall: int) -> Bitmap:
    """Doubled steps become half steps (EPX): slanted strokes look drawn, not built of bricks."""
    while wide == tall and wide % 2 == 0:
        rows, wide, tall = _doubled(rows), wide // 2, tall // 2
    if wide == tall == 1:
        return rows
    stretched = (b"".join(row[x : x + 1] * wide for x in range(len(row))) for row in rows)
    return tuple(row for row in stretched for _ in range(tall))


def _doubled(rows: Bitmap) -> Bitmap:
    width, height = len(rows[0]), len(rows)
    blank = bytes(width + 2)
    padded = [blank, *(b"\0" + row + b"\0" for row in rows), blank]
    found = []
    for y in range(1, height + 1):
        above, here, below = padded[y - 1], padded[y], padded[y + 1]
        upper, lower = bytearray(), bytearray()
        for x in range(1, width + 1):
            dot, up, down, left, right = here[x], above[x], below[x], here[x - 1], here[x + 1]
            if up == down or left == right:
                upper += bytes((dot, dot))
                lower += bytes((dot, dot))
                continue
            upper += bytes((left if left == up else dot, right if right == up else dot))
            lower += bytes((left if left == down else dot, right if right == down else dot))
        found += [bytes(upper), bytes(lower)]
    return tuple(found)


def _trimmed(rows: Bitmap, least: int) -> Bitmap:
    """Without the blank columns at both sides; digits keep one width, so that they line up."""
    lit = [x for x in range(len(rows[0])) if any(row[x] for row in rows)]
    first = min(lit[0], len(rows[0]) - least)
    return tuple(row[first : max(lit[-1] + 1, first + least)] for row in rows)


def _unifont(character: str) -> Bitmap:
    bits = glyph(character)
    wide = len(bits) // HEIGHT
    return tuple(_dots(bits[y * wide : (y + 1) * wide]) for y in range(HEIGHT))


def _dots(row: bytes) -> bytes:
    return bytes(byte >> bit & 1 for byte in row for bit in range(7, -1, -1))


def has_small(character: str) -> bool:
    return character == " " or character in _sheet()


def _small(character: str) -> Bitmap:
    if character == " ":
        return (bytes(SPACE),) * SMALL_ROWS
    return _sheet().get(character) or _sheet()["?"]


@cache
def _sheet() -> dict[str, Bitmap]:
    found = {}
    for block in SMALL.read_text("utf-8").split("\n\n")[1:]:
        names, *rows = [line.split() for line in block.splitlines()]
        for at, name in enumerate(names):
            found[name] = tuple(bytes(dot == "#" for dot in row[at]) for row in rows)
    return found
