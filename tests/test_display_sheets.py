"""Every screen is drawn again and held against the stored one, dot by dot (docs/screens)."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from firmware.display import pages, signs
from firmware.display.compose_colour import BANDS
from firmware.display.icons import SIDE, icon
from firmware.display.messages import MESSAGES
from firmware.display.panel import picture
from firmware.display.sheets import PALETTE, sheet

SCREENS = Path(__file__).resolve().parents[1] / "docs" / "screens"
AGAIN = "look at the change, then `python -m firmware.display.pages`"


@pytest.mark.parametrize("name", pages.SHEETS)
def test_every_screen_is_the_stored_one(name: str) -> None:
    with Image.open(SCREENS / f"{name}.png") as stored:
        reference = stored.convert("RGB")
    kind, language, ids, is_double = pages.SHEETS[name]
    made, cells = sheet(kind, language, ids, is_double)
    assert {cell.name for cell in cells} == set(ids)
    assert reference.size == (made.width, made.height), AGAIN
    changed = []
    for cell in cells:
        cell.screen.palette = PALETTE
        box = (cell.left, cell.top, cell.left + cell.screen.width, cell.top + cell.screen.height)
        if reference.crop(box).tobytes() != picture(cell.screen).tobytes():
            changed.append(cell.name)
    assert changed == [], AGAIN
    assert reference.tobytes() == picture(made).tobytes(), f"the frame of the sheet: {AGAIN}"


def test_every_message_is_on_a_sheet_of_every_panel() -> None:
    whole = [name for name, (_, _, ids, _) in pages.SHEETS.items() if set(ids) == set(MESSAGES)]
    assert {name.split("-")[0] for name in whole} == {"128x64", "240x240", "16x4", "20x2"}


def test_the_page_of_the_screens_is_the_one_made_from_the_messages() -> None:
    assert (SCREENS / "README.md").read_text("utf-8") == pages.screens_page(), AGAIN


def test_no_picture_is_left_over() -> None:
    singles = {f"{name}-{kind}" for name in pages.SINGLES for kind in pages.SCALES}
    assert {each.stem for each in SCREENS.glob("*.png")} == set(pages.SHEETS) | singles


def luminance(colour: tuple[int, int, int]) -> float:
    """WCAG 2.1, relative luminance."""
    parts = [each / 255 for each in colour]
    red, green, blue = (
        each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("sign", signs.ALL)
def test_white_can_be_read_on_every_band(sign: str) -> None:
    """WCAG 2.1, 1.4.3: 4.5 to 1."""
    assert 1.05 / (luminance(BANDS[sign]) + 0.05) >= 4.5


@pytest.mark.parametrize("sign", signs.ALL)
def test_every_sign_has_an_icon_of_its_own(sign: str) -> None:
    drawn = icon(sign)
    assert len(drawn) == SIDE
    assert {len(row) for row in drawn} == {SIDE}
    assert [each for each in signs.ALL if icon(each) == drawn] == [sign]
