"""The 128x64 panel: four lines that always fit, drawn with a font of our own."""

import subprocess
import sys

import pytest
from PIL import Image

from firmware.display import glyphs
from firmware.display.glyphs import glyph, has_glyph
from firmware.display.layout import width
from firmware.display.messages import MESSAGES
from firmware.display.panel import COLUMNS, LINES, Panel, layout, render
from firmware.display.screen import Display

LONGEST = {
    "amount": "1000000.00",
    "balance": "1000000.00",
    "name": "阿卜杜热合曼·买买提艾力江阿吉",
    "tries_left": "15",
    "days": "365",
    "hours": "9999",
    "number": "10",
    "at": "26-11-22 09:30",
    "order_no": "HIS-2026-11-22-0000000000017",
}
"""The longest plausible value of each field."""


def shown(message_id, **fields):
    display = Display([])
    display.show(message_id, **fields)
    return display.current


@pytest.mark.parametrize("language", ["both", "zh", "en"])
@pytest.mark.parametrize("name", MESSAGES)
def test_every_message_fits_the_panel(name, language):
    message = shown(name, **LONGEST)
    lines = layout(message, language)
    assert 1 <= len(lines) <= LINES
    assert all(width(line) <= COLUMNS for line in lines)
    for character in "".join(lines):
        assert has_glyph(character)
        assert len(glyph(character)) == 16 * width(character)
    if language == "both":
        assert lines[:2] == message.zh_panel.split("\n") or name == "CARD_READ"
        assert len(lines) == LINES
    if message.number is not None and message.number >= 100:
        assert str(message.number) in "".join(lines), "a person on the telephone can read it out"


def test_one_language_has_room_for_the_whole_advice():
    assert layout(shown("PSAM_MISSING"), "zh") == [
        "未找到PSAM   301",
        "请技术人员检查",
        "PSAM 卡槽。",
    ]
    too_long = shown("UNIT_FAULT")
    assert layout(too_long, "en") == ["Unit fault   699", "Call technician"]


CARD = """\
......#.........
......#.........
......#######...
......#.........
......#.........
......#.........
###############.
......#.........
......#.........
......#..#......
......#...#.....
......#....#....
......#.....#...
......#.........
......#.........
......#.........
"""


def test_a_glyph_lands_where_it_belongs():
    """The last character of "正在读卡", its pixels read back from the picture."""
    picture = render(shown("READING_CARD"), "both")
    assert picture.size == (128, 64)
    assert picture.mode == "1"
    left, top = 3 * 16, 0
    rows = [
        "".join("#" if picture.getpixel((left + x, top + y)) else "." for x in range(16))
        for y in range(16)
    ]
    assert "\n".join(rows) + "\n" == CARD


def test_a_line_too_long_is_cut_at_the_edge_and_hurts_nothing_else():
    picture = render(shown("APPROVED", amount="9" * 30), "both")
    assert picture.size == (128, 64)


def test_the_font_has_every_hanzi_a_name_may_need():
    """GB 2312 and GBK whole, and the rare characters of CJK extension A."""
    codes = {int(line.split(b":")[0], 16) for line in glyphs._font().split()}
    gbk = set()
    for high in range(0x81, 0xFF):
        for low in range(0x40, 0xFF):
            try:
                character = bytes((high, low)).decode("gbk")
            except UnicodeDecodeError:
                continue
            gbk.add(ord(character))
    assert len(gbk) > 21000
    assert {chr(code) for code in gbk - codes} == set()
    assert all(ord(each) in codes for each in "䶮㛃㙍·•ABCxyz¥□")


def test_a_character_the_font_lacks_is_a_box():
    assert glyph("\U0001f4b3") == glyph("□")


def test_the_picture_is_replaced_whole(tmp_path):
    path = tmp_path / "made" / "panel.png"
    display = Display([Panel(path)])
    display.show("READY")
    first = path.read_bytes()
    display.show("TAKE_CARD")
    assert path.read_bytes() != first
    with Image.open(path) as picture:
        assert picture.tobytes() == render(display.current, "both").tobytes()
    assert [each.name for each in path.parent.iterdir()] == ["panel.png"]
    assert display.faults == {}


def test_a_full_disk_leaves_the_last_picture(tmp_path, monkeypatch):
    path = tmp_path / "panel.png"
    display = Display([Panel(path)])
    display.show("READY")
    before = path.read_bytes()

    def full(*_args, **_kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full)
    display.show("TAKE_CARD")
    assert path.read_bytes() == before
    assert "No space left" in display.faults["Panel"]


def test_pillow_and_the_font_wait_for_the_first_picture():
    """A unit without a panel pays nothing for it."""
    code = (
        "import sys, firmware.display.panel as panel, firmware.display.glyphs as glyphs\n"
        "assert 'PIL' not in sys.modules\n"
        "assert glyphs._font.cache_info().currsize == 0\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=30)
