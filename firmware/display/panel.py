"""The 128x64 panel of 1 bit a pixel, as a PNG file: four lines of 16 half-width columns.

Pillow is imported when the first picture is drawn: a unit without a panel does not need it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from firmware.display.glyphs import HEIGHT, glyph
from firmware.display.layout import width, wrap
from firmware.display.screen import Shown

if TYPE_CHECKING:
    from PIL.Image import Image

COLUMNS = 16
LINES = 4
COLUMN = 8  # pixels
FIRST_NUMBER_SHOWN = 100  # lower ones are successes: nobody needs to quote them


def layout(shown: Shown, language: str) -> list[str]:
    """The lines of the panel, at most LINES of at most COLUMNS; language "both", "zh" or "en".

    "both" shows the short forms of both.  One language has room for its short headline and the
    whole advice; where that is too long, for the short form.
    """
    if language == "both":
        return _lines(shown.zh_panel) + _numbered(_lines(shown.en_panel), shown)
    panel_text = shown.zh_panel if language == "zh" else shown.en_panel
    headline = _lines(panel_text.split("\n")[0])
    full = headline + wrap(shown.zh_next if language == "zh" else shown.en_next, COLUMNS)
    return _numbered(full if len(full) <= LINES else _lines(panel_text), shown)


def _lines(panel_text: str) -> list[str]:
    return [line for part in panel_text.split("\n") for line in wrap(part, COLUMNS)]


def _numbered(lines: list[str], shown: Shown) -> list[str]:
    """The outcome's number at the right of the first line."""
    if shown.number is None or shown.number < FIRST_NUMBER_SHOWN:
        return lines
    number = str(shown.number)
    gap = COLUMNS - width(lines[0]) - len(number)
    return [lines[0] + " " * gap + number, *lines[1:]] if gap > 0 else lines


def render(shown: Shown, language: str) -> Image:
    """A picture of mode "1"; lit pixels are 1."""
    from PIL import Image

    rows = bytearray(LINES * HEIGHT * COLUMNS)
    for at, line in enumerate(layout(shown, language)[:LINES]):
        _draw_line(rows, at * HEIGHT * COLUMNS, line)
    return Image.frombytes("1", (COLUMNS * COLUMN, LINES * HEIGHT), bytes(rows))


def _draw_line(rows: bytearray, top: int, line: str) -> None:
    """Copy the line's glyphs into rows of COLUMNS bytes; what passes the right edge is cut."""
    column = 0
    for character in line:
        bits = glyph(character)
        wide = len(bits) // HEIGHT
        if column + wide > COLUMNS:
            return
        for y in range(HEIGHT):
            start = top + y * COLUMNS + column
            rows[start : start + wide] = bits[y * wide : (y + 1) * wide]
        column += wide


class Panel:
    """A surface that keeps a PNG of what the panel shows; readers never see half a picture."""

    def __init__(self, path: Path):
        self._path = path

    def draw(self, shown: Shown) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = self._path.with_name(f".{self._path.name}.new")
        with unfinished.open("wb") as file:
            render(shown, shown.language).save(file, "PNG")
        os.replace(unfinished, self._path)
