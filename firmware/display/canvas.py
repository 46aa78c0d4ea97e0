"""A picture in the making: one byte a dot, its value a colour of the palette; no package needed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from firmware.display.fonts import Bitmap, Font, bitmap


@dataclass(frozen=True)
class Placed:
    """Text, or a picture ("") and where it stands, its box in dots: what a test measures."""

    text: str
    left: int
    top: int
    width: int
    height: int


Colour = tuple[int, int, int]


class Canvas:
    """width x height dots, all of value 0 at first.

    palette: the colour of each value; None where 1 is a lit dot.
    """

    def __init__(self, width: int, height: int, palette: tuple[Colour, ...] | None = None):
        self.palette = palette
        self.width = width
        self.height = height
        self.dots = bytearray(width * height)
        self.placed: list[Placed] = []

    def fill(self, left: int, top: int, width: int, height: int, colour: int) -> None:
        """What lies outside is left out."""
        begin, end = max(0, left), min(self.width, left + width)
        for y in range(max(0, top), min(self.height, top + height)):
            self.dots[y * self.width + begin : y * self.width + end] = bytes((colour,)) * (
                end - begin
            )

    def stamp(self, left: int, top: int, dots: Bitmap, colour: int, ground: int = 0) -> None:
        """Its lit dots in `colour`, the others in `ground`; what lies outside is cut."""
        table = _table(colour, ground)
        skipped, room = max(0, -left), max(0, self.width - left)
        above = max(0, -top)
        for y, row in enumerate(dots[above : max(0, self.height - top)], top + above):
            start = y * self.width + max(0, left)
            shown = row[skipped:room].translate(table)
            self.dots[start : start + len(shown)] = shown

    def block(self, left: int, top: int, width: int, height: int, colour: int) -> None:
        """As fill, and it must not meet a text."""
        self.placed.append(Placed("", left, top, width, height))
        self.fill(left, top, width, height, colour)

    def picture(self, left: int, top: int, dots: Bitmap, colour: int, ground: int = 0) -> None:
        self.placed.append(Placed("", left, top, len(dots[0]), len(dots)))
        self.stamp(left, top, dots, colour, ground)

    def paste(self, left: int, top: int, other: Canvas) -> None:
        """Its dots as they are; it lies wholly inside."""
        for y in range(other.height):
            row = other.dots[y * other.width : (y + 1) * other.width]
            start = (top + y) * self.width + left
            self.dots[start : start + other.width] = row

    def text(
        self, left: int, top: int, text: str, font: Font, colour: int, ground: int = 0
    ) -> None:
        self.placed.append(Placed(text, left, top, font.width(text), font.height))
        for character in text:
            dots = bitmap(character, font)
            if left < self.width:
                self.stamp(left, top, dots, colour, ground)
            left += len(dots[0]) + font.gap


@cache
def _table(colour: int, ground: int) -> bytes:
    return bytes((ground, colour)).ljust(256, b"\0")
