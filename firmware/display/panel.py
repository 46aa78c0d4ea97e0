"""The panels and their pictures: what a message looks like on each, and as a PNG file.

Pillow is imported when the first picture is drawn: a unit without a panel does not need it.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from firmware.display import compose_colour, compose_mono, compose_text
from firmware.display.canvas import Canvas
from firmware.display.screen import Shown

if TYPE_CHECKING:
    from PIL.Image import Image

MONO, COLOUR = "128x64", "240x240"
TEXT_PANELS = {"16x4": (16, 4), "20x2": (20, 2)}
"""Kind of panel without dots -> its columns and rows."""


def canvases(shown: Shown, kind: str, is_double: bool = False) -> list[Canvas]:
    compose = compose_mono.compose if kind == MONO else compose_colour.compose
    return compose(shown, is_double)


def pictures(shown: Shown, kind: str = MONO, is_double: bool = False) -> list[Image]:
    """kind: MONO or COLOUR.  One, or those to be shown in turn; of mode "1" or "RGB"."""
    return [picture(each) for each in canvases(shown, kind, is_double)]


def lines(shown: Shown, size: str) -> list[str]:
    """What a panel of letters shows; size: of TEXT_PANELS."""
    return compose_text.compose(shown, *TEXT_PANELS[size])


def save(canvas: Canvas, path: Path) -> None:
    """As a small PNG of its palette; OSError."""
    from PIL import Image

    image = Image.frombytes("P", (canvas.width, canvas.height), bytes(canvas.dots))
    image.putpalette([value for colour in canvas.palette or () for value in colour])
    image.save(path, optimize=True)


def picture(canvas: Canvas) -> Image:
    """Mode "1" with lit dots 1, or "RGB" where there is a palette."""
    from PIL import Image

    size = (canvas.width, canvas.height)
    if canvas.palette is None:
        return Image.frombytes("1", size, bytes(canvas.dots), "raw", "1;8")
    image = Image.frombytes("P", size, bytes(canvas.dots))
    image.putpalette([value for colour in canvas.palette for value in colour])
    return image.convert("RGB")


def column(images: Sequence[Image], gap: int = 0) -> Image:
    """One under the other."""
    from PIL import Image

    width, height = images[0].size
    together = Image.new(images[0].mode, (width, (height + gap) * len(images) - gap))
    for at, each in enumerate(images):
        together.paste(each, (0, at * (height + gap)))
    return together


class Picture:
    """A surface that keeps a PNG of what a 128x64 panel shows; readers never see half a picture.

    What the panel would show in turn stands one under the other.
    """

    def __init__(self, path: Path, is_double: bool = False):
        self._path = path
        self._is_double = is_double

    def draw(self, shown: Shown) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = self._path.with_name(f".{self._path.name}.new")
        with unfinished.open("wb") as file:
            column(pictures(shown, MONO, self._is_double)).save(file, "PNG")
        os.replace(unfinished, self._path)
