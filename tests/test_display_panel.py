"""Pictures of a panel: dots of our own font, a PNG that is replaced whole."""

import subprocess
import sys

from PIL import Image

from firmware.display import glyphs
from firmware.display.canvas import Canvas
from firmware.display.compose_mono import LEFT
from firmware.display.fonts import TEXT
from firmware.display.glyphs import glyph
from firmware.display.panel import Picture, pictures
from firmware.display.screen import Display
from tests.waiting import SOON_S


def shown(message_id, **fields):
    display = Display([])
    display.show(message_id, **fields)
    return display.current


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
    (picture,) = pictures(shown("READING_CARD"))
    assert picture.size == (128, 64)
    assert picture.mode == "1"
    left, top = LEFT + 3 * 16, 5
    rows = [
        "".join("#" if picture.getpixel((left + x, top + y)) else "." for x in range(16))
        for y in range(16)
    ]
    assert "\n".join(rows) + "\n" == CARD


def test_what_a_message_should_never_hold_is_cut_at_the_edge_and_hurts_nothing_else():
    canvas = Canvas(128, 64)
    canvas.text(100, 56, "请取回社保卡", TEXT, 1)
    assert len(canvas.dots) == 128 * 64
    assert not any(canvas.dots[y * 128] for y in range(64)), "nothing came round the edge"


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
    display = Display([Picture(path)])
    display.show("READY")
    first = path.read_bytes()
    display.show("TAKE_CARD")
    assert path.read_bytes() != first
    with Image.open(path) as picture:
        assert picture.tobytes() == pictures(display.current)[0].tobytes()
    assert [each.name for each in path.parent.iterdir()] == ["panel.png"]
    assert display.faults == {}


def test_a_full_disk_leaves_the_last_picture(tmp_path, monkeypatch):
    path = tmp_path / "panel.png"
    display = Display([Picture(path)])
    display.show("READY")
    before = path.read_bytes()

    def full(*_args, **_kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full)
    display.show("TAKE_CARD")
    assert path.read_bytes() == before
    assert "No space left" in display.faults["Picture"]


def test_pillow_and_the_font_wait_for_the_first_picture():
    """A unit without a panel pays nothing for it."""
    code = (
        "import sys, firmware.display.panel as panel, firmware.display.glyphs as glyphs\n"
        "from firmware import __main__\n"
        "absent = {'PIL', 'luma', 'RPLCD', 'smbus2', 'RPi'}\n"
        "assert absent.isdisjoint(sys.modules), absent & set(sys.modules)\n"
        "assert glyphs._font.cache_info().currsize == 0\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=SOON_S)
