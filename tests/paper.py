"""What an ESC/POS printer makes of the bytes it gets: a strip of paper, on a pseudo-terminal.

Knows what our receipts use, refuses anything else: ESC @, ESC a, ESC d, ESC J, GS !, GS v 0, GS V,
FS &, FS W, DLE EOT 4, GB 18030 text.  `Roll` is the device, `read` the text, `picture` the PNG.
"""

from __future__ import annotations

import os
import re
import select
import threading
import tty
from dataclasses import dataclass, field
from typing import Any

from firmware.display.glyphs import HEIGHT, glyph
from firmware.display.layout import width
from tests.waiting import until

GAP = 6  # a line is 30 dots high, a character 24
PAPER_OK, NEAR_END, NO_PAPER = b"\x12", b"\x1e", b"\x72"
_DLE_EOT_PAPER = b"\x10\x04\x04"
_END = re.compile(rb"(\x1dV[\x00\x01]|\x1dV[AB].|\x1bd\x04)\Z", re.S)  # a cut, or fed out by hand


@dataclass
class Row:
    """A line of text as it was set, or dots."""

    text: str = ""
    scale: int = 1
    align: int = 0
    dots: tuple[int, bytes] = (0, b"")


@dataclass
class Paper:
    rows: list[Row] = field(default_factory=list)
    cuts: int = 0

    @property
    def lines(self) -> list[str]:
        return [each.text for each in self.rows if not each.dots[0]]


def read(data: bytes) -> Paper:
    """Raises ValueError for a command that no receipt uses."""
    paper, at = Paper(), 0
    align, scale, chinese_scale, text = 0, 1, 1, bytearray()
    is_chinese = False
    while at < len(data):
        rest = data[at:]
        if rest[:2] == b"\x1b@":
            align, scale, chinese_scale, is_chinese = 0, 1, 1, False
            at += 2
        elif rest[:2] == b"\x1ba":
            align = rest[2] & 3
            at += 3
        elif rest[:2] in (b"\x1bd", b"\x1bJ"):
            at += 3
        elif rest[:2] == b"\x1d!":
            scale = 1 + (rest[2] & 7)
            at += 3
        elif rest[:2] == b"\x1cW":
            chinese_scale = 1 + rest[2]
            at += 3
        elif rest[:2] == b"\x1c&":
            is_chinese = True
            at += 2
        elif rest[:4] == b"\x1dv0\0":
            wide, high = (int.from_bytes(rest[n : n + 2], "little") for n in (4, 6))
            paper.rows.append(Row(dots=(wide, rest[8 : 8 + wide * high])))
            at += 8 + wide * high
        elif rest[:2] == b"\x1dV":
            paper.cuts += 1
            at += 4 if rest[2] in (65, 66) else 3
        elif rest[0] == 0x0A:
            if scale != chinese_scale:
                raise ValueError("ASCII and Chinese of two sizes on one line")
            paper.rows.append(Row(text.decode("gb18030"), scale, align))
            text.clear()
            at += 1
        elif rest[0] >= 0x20:
            if rest[0] >= 0x80 and not is_chinese:
                raise ValueError("Chinese before FS &")
            text.append(rest[0])
            at += 1
        else:
            raise ValueError(f"no receipt sends {rest[:4].hex()}")
    return paper


def picture(paper: Paper, columns: int) -> Any:
    """The strip, 12 dots a column, its glyphs drawn in Unifont at one and a half times its size."""
    from PIL import Image

    wide = columns * 12
    strips = [_strip(each, columns) for each in paper.rows]
    whole = Image.new("1", (wide + 24, sum(each.height for each in strips) + 24), 1)
    top = 12
    for each in strips:
        whole.paste(each, (12, top))
        top += each.height
    return whole


def _strip(row: Row, columns: int) -> Any:
    from PIL import Image

    if row.dots[0]:
        size = (8 * row.dots[0], len(row.dots[1]) // row.dots[0])
        return Image.frombytes("1", size, bytes(each ^ 0xFF for each in row.dots[1]))
    small = Image.new("1", (columns * 8, HEIGHT * row.scale), 1)
    at = {0: 0, 1: columns * 8 - width(row.text) * 8 * row.scale}.get(row.align, 0)
    at = at // 2 if row.align == 1 else 0
    for each in row.text:
        rows = glyph(each)
        wide = 8 * len(rows) // HEIGHT
        drawn = Image.frombytes("1", (wide, HEIGHT), bytes(byte ^ 0xFF for byte in rows))
        small.paste(drawn.resize((wide * row.scale, HEIGHT * row.scale)), (at, 0))
        at += wide * row.scale
    strip = Image.new("1", (columns * 12, HEIGHT * row.scale * 3 // 2 + GAP), 1)
    strip.paste(small.resize((strip.width, strip.height - GAP)))
    return strip


class Roll:
    """A printer on a pty; use it in a `with`.  status: what it answers when asked for paper, b""
    for a printer that is off."""

    def __init__(self) -> None:
        self.status = PAPER_OK
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        self.address = f"serial:{os.ttyname(self._slave)}"
        self._data = bytearray()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Roll:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()
        os.close(self._master)
        os.close(self._slave)

    def receipt(self) -> Paper:
        """What was printed, once its end has come, and forget it: the line takes its time."""
        until(lambda: _END.search(self._data), lambda: bytes(self._data[-80:]))
        return self.paper()

    def paper(self) -> Paper:
        """What has come by now, and forget it."""
        data, self._data = bytes(self._data), bytearray()
        return read(data)

    def _run(self) -> None:
        while not self._stopping.is_set():
            if select.select([self._master], [], [], 0.02)[0]:
                self._data += os.read(self._master, 4096)
                while (at := self._data.find(_DLE_EOT_PAPER)) >= 0:
                    del self._data[at : at + 3]
                    os.write(self._master, self.status)
