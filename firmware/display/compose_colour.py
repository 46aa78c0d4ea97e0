"""The screens of a colour panel of 240x240 dots.

A band in the colour of the sign holds the icon, the outcome's number and the seconds left: a large
one where the words are few.  Below, headline and instruction at twice the size, the other language
under them at its plain size, the stars of a PIN, the bar that shrinks.
"""

from __future__ import annotations

from dataclasses import dataclass

from firmware.display import wording
from firmware.display.canvas import Canvas
from firmware.display.fonts import DOUBLE, LITTLE_DOUBLE, TRIPLE, Font
from firmware.display.icons import SIDE, disc, icon
from firmware.display.layout import balanced
from firmware.display.screen import Shown
from firmware.display.signs import ALL, PIN

WIDTH = HEIGHT = 240
GROUND, BRIGHT, DIM, INK = range(4)
BANDS = {
    "ready": (0x1B, 0x5E, 0x4B), "insert": (0x0D, 0x5C, 0xAB), "reading": (0x8A, 0x5A, 0x00),
    "pin": (0x4A, 0x35, 0x8C), "working": (0x8A, 0x5A, 0x00), "take": (0x0D, 0x5C, 0xAB),
    "done": (0x1E, 0x7B, 0x34), "refused": (0xB7, 0x1C, 0x1C), "wait": (0x45, 0x52, 0x5C),
    "call": (0xA8, 0x43, 0x00), "fault": (0x9A, 0x10, 0x10), "stopped": (0x33, 0x3A, 0x40),
}  # fmt: skip
PALETTE = ((0, 0, 0), (255, 255, 255), (176, 190, 197), (255, 255, 255), *BANDS.values())
"""Colour of each value of a dot: ground, bright, dim, ink on a band, the bands of signs.ALL."""

BAR = 6
LARGE_BAND, SMALL_BAND, LEAST_BAND = 108, 60, 40
GAP = 4
MARGIN = 8
STARS = 30
FIGURES = tuple(Font(each, each, is_figures=True) for each in (4, 3, 2))


@dataclass(frozen=True)
class _Block:
    """One line of the words; left and right alike."""

    text: str
    font: Font
    colour: int

    @property
    def height(self) -> int:
        return self.font.height + (3 * GAP if self.font.is_figures else GAP)


def compose(shown: Shown, is_double: bool = False) -> list[Canvas]:
    """One picture, or those to be shown in turn."""
    if is_double:
        return _doubled(shown)
    if shown.language != "both":
        return [_screen(shown, _alone(shown, shown.language))]
    blocks = _both(shown)
    if _height(blocks) <= _room(shown):
        return [_screen(shown, blocks)]
    return [_screen(shown, _alone(shown, each)) for each in ("zh", "en")]


def _both(shown: Shown) -> list[_Block]:
    english = [_Block(text, LITTLE_DOUBLE, DIM) for text in wording.short(shown, "en")]
    return _short(shown, "zh") + english


def _alone(shown: Shown, language: str) -> list[_Block]:
    """What has a number has its whole advice, if there is room."""
    if wording.number(shown) and not wording.amount(shown):
        headline = wording.short(shown, language)[0]
        blocks = _lines(headline, DOUBLE) + _lines(wording.advice(shown, language), DOUBLE)
        if _height(blocks) <= _room(shown):
            return blocks
    return _short(shown, language)


def _short(shown: Shown, language: str) -> list[_Block]:
    headline, *then = wording.short(shown, language)
    blocks = _lines(headline, DOUBLE)
    if amount := wording.amount(shown):
        font = next(each for each in FIGURES if each.width(amount) <= WIDTH - MARGIN)
        blocks.append(_Block(amount, font, BRIGHT))
    return blocks + [block for text in then for block in _lines(text, DOUBLE)]


def _lines(text: str, font: Font, colour: int = BRIGHT) -> list[_Block]:
    return [_Block(line, font, colour) for line in balanced(text, WIDTH // (8 * font.wide))]


def _height(blocks: list[_Block]) -> int:
    return sum(block.height for block in blocks)


def _room(shown: Shown) -> int:
    """For the words, under the smallest band."""
    return HEIGHT - LEAST_BAND - 2 * BAR - (STARS if wording.has_stars(shown) else 0)


def _screen(shown: Shown, blocks: list[_Block]) -> Canvas:
    canvas = Canvas(WIDTH, HEIGHT, PALETTE)
    room = HEIGHT - BAR - _height(blocks) - (STARS if wording.has_stars(shown) else 0)
    is_pin = shown.sign == PIN
    band = next(
        (each for each in (LARGE_BAND, SMALL_BAND) if each + MARGIN <= room and not is_pin),
        SMALL_BAND if room >= SMALL_BAND else LEAST_BAND,
    )
    _band(canvas, shown, band)
    top = band + (room - band) // 2
    for block in blocks:
        left = (WIDTH - block.font.width(block.text)) // 2
        inset = (block.height - block.font.height) // 2
        canvas.text(left, top + inset, block.text, block.font, block.colour)
        top += block.height
    if wording.has_stars(shown):
        _stars(canvas, shown, top)
    _bar(canvas, shown)
    return canvas


def _band(canvas: Canvas, shown: Shown, height: int) -> None:
    colour = INK + 1 + ALL.index(shown.sign)
    canvas.fill(0, 0, WIDTH, height, colour)
    scale = {LARGE_BAND: 4, SMALL_BAND: 2, LEAST_BAND: 1}[height]
    number, is_large = wording.number(shown), height == LARGE_BAND
    left = (WIDTH - SIDE * scale) // 2 if is_large and not number else MARGIN
    canvas.picture(left, (height - SIDE * scale) // 2, icon(shown.sign, scale), INK, colour)
    said = number
    if shown.entry.seconds_left is not None and not number:
        said = str(shown.entry.seconds_left)
    if said:
        top = (height - DOUBLE.height) // 2
        canvas.text(WIDTH - MARGIN - DOUBLE.width(said), top, said, DOUBLE, INK, colour)


def _stars(canvas: Canvas, shown: Shown, top: int) -> None:
    stars = wording.stars(shown)
    left = (WIDTH - 19 * stars) // 2
    for at in range(stars):
        canvas.picture(left + 19 * at, top + 6, disc(16), BRIGHT)


def _bar(canvas: Canvas, shown: Shown) -> None:
    if shown.entry.seconds_left is not None:
        long = WIDTH * shown.entry.seconds_left // shown.entry.seconds
        canvas.block(0, HEIGHT - BAR, long, BAR, BRIGHT)


def _doubled(shown: Shown) -> list[Canvas]:
    """Three times Unifont, for who sees badly, one language after the other."""
    languages = ("zh", "en") if shown.language == "both" else (shown.language,)
    pages = []
    for language in languages:
        texts = wording.short(shown, language)
        words = [_lines(text, _widest_font(text)) for text in texts]
        if amount := wording.amount(shown):
            font = next(each for each in FIGURES if each.width(amount) <= WIDTH - MARGIN)
            words[0].append(_Block(amount, font, BRIGHT))
        together = [block for each in words for block in each]
        fits = _height(together) <= _room(shown)
        pages += [_screen(shown, each) for each in ([together] if fits else words)]
    return pages


def _widest_font(text: str) -> Font:
    """A long English word is smaller, but whole."""
    longest = max(text.split(), key=len)
    return DOUBLE if longest.isascii() and TRIPLE.width(longest) > WIDTH else TRIPLE
