"""Contact sheets: every message on one panel, grouped by sign, each over its name.

What docs/screens/ shows, and what a test holds every screen against.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from firmware.display import compose_colour
from firmware.display.canvas import Canvas, Colour
from firmware.display.fonts import LITTLE, TEXT
from firmware.display.icons import SIDE, icon
from firmware.display.messages import MESSAGES
from firmware.display.panel import COLOUR, MONO, TEXT_PANELS, canvases, lines
from firmware.display.screen import Display, Entry, Shown
from firmware.display.signs import ALL, PIN, SIGNS

SAMPLE = {
    "amount": "86.50", "balance": "1034.20", "name": "欧阳䶮", "tries_left": "3", "days": "30",
    "hours": "73", "number": "2", "at": "26-11-22 09:30", "order_no": "20261122000017",
}  # fmt: skip
"""Field -> what stands in it on a sheet; SOMETHING for the others."""
SOMETHING = "12"
ENTERED = Entry(4, 42, 60)
"""What a PIN screen shows on a sheet."""

PLACE, LABEL, RULE, LETTERS, GLASS = range(16, 21)
PALETTE: tuple[Colour, ...] = (
    *compose_colour.PALETTE,
    (232, 236, 240), (40, 48, 56), (120, 130, 140), (16, 32, 16), (150, 190, 90),
)  # fmt: skip
"""The colours of a sheet: those of the colour panel, then its own."""
ACROSS = {MONO: 8, COLOUR: 10, "16x4": 8, "20x2": 8}
"""Kind of panel -> screens in a row."""
GAP = 8
LABEL_LINE = 9
LABEL_HEIGHT = 2 * LABEL_LINE + 2
HEAD = SIDE + 2 * GAP


@dataclass(frozen=True)
class Cell:
    """One screen and where its upper left corner lies on the sheet."""

    name: str
    screen: Canvas
    left: int
    top: int


def sample(message_id: str, language: str = "both") -> Shown:
    """That message as a sheet shows it."""
    display = Display([], language)
    names = MESSAGES[message_id].field_names()
    display.show(message_id, **{name: SAMPLE.get(name, SOMETHING) for name in names})
    (shown,) = display.since()
    return (
        replace(shown, entry=ENTERED)
        if shown.sign == PIN and not message_id.startswith("MENU_")
        else shown
    )


def screens(message_id: str, kind: str, language: str, is_double: bool = False) -> list[Canvas]:
    shown = sample(message_id, language)
    if kind in TEXT_PANELS:
        return [of_letters(lines(shown, kind))]
    return canvases(shown, kind, is_double)


def of_letters(text: list[str]) -> Canvas:
    """A picture of a panel of letters."""
    canvas = Canvas(8 * len(text[0]), 16 * len(text), PALETTE)
    for row, line in enumerate(text):
        canvas.text(0, 16 * row, line, TEXT, LETTERS, GLASS)
    return canvas


def sheet(
    kind: str, language: str, ids: Iterable[str] = tuple(MESSAGES), is_double: bool = False
) -> tuple[Canvas, list[Cell]]:
    """The sheet, and what is where on it."""
    wanted = list(ids)
    groups = {sign: [each for each in wanted if SIGNS[each] == sign] for sign in ALL}
    cells: list[Cell] = []
    heads: list[tuple[str, int]] = []
    width, bottom = 0, GAP
    for sign, members in groups.items():
        named = [
            (name, page)
            for name in sorted(members)
            for page in screens(name, kind, language, is_double)
        ]
        if not named:
            continue
        heads.append((sign, bottom))
        bottom += HEAD
        across, step = ACROSS[kind], named[0][1].width + GAP
        down = named[0][1].height + LABEL_HEIGHT + GAP
        for at, (name, page) in enumerate(named):
            cells.append(Cell(name, page, GAP + at % across * step, bottom + at // across * down))
        bottom += -(-len(named) // across) * down
        width = max(width, GAP + across * step)
    return _drawn(width, bottom, heads, cells), cells


def _drawn(width: int, height: int, heads: list[tuple[str, int]], cells: list[Cell]) -> Canvas:
    canvas = Canvas(width, height, PALETTE)
    canvas.fill(0, 0, width, height, PLACE)
    for sign, top in heads:
        canvas.fill(GAP, top + SIDE + GAP, width - 2 * GAP, 1, RULE)
        canvas.stamp(GAP, top + GAP // 2, icon(sign), LABEL, PLACE)
        canvas.text(2 * GAP + SIDE, top + GAP, sign, TEXT, LABEL, PLACE)
    for cell in cells:
        canvas.paste(cell.left, cell.top, cell.screen)
        for at, line in enumerate(_label(cell.name, cell.screen.width)):
            top = cell.top + cell.screen.height + 1 + at * LABEL_LINE
            canvas.text(cell.left, top, line, LITTLE, LABEL, PLACE)
    return canvas


def _label(name: str, width: int) -> list[str]:
    """On one line, or broken at an underscore."""
    if LITTLE.width(name) <= width:
        return [name]
    breaks = (at + 1 for at, each in enumerate(name) if each == "_")
    at = max(at for at in breaks if LITTLE.width(name[:at]) <= width)
    return [name[:at], name[at:]]
