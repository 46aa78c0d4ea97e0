"""The bitmap font of the panel: GNU Unifont, 16 rows high, half (8) or full (16) width.

The file is `CODE:HEX` lines by code point, compressed (tools/make_glyphs.py).  It is unpacked at
the first glyph, about 2 MB, and searched; the glyphs used are remembered.
"""

from __future__ import annotations

import lzma
from functools import cache, lru_cache
from pathlib import Path

GLYPHS = Path(__file__).parent / "glyphs.hex.xz"
HEIGHT = 16
MISSING = "□"


@lru_cache(maxsize=512)
def glyph(character: str) -> bytes:
    """The rows of that character from the top, 1 (16 bytes) or 2 (32 bytes) bytes a row.

    The most significant bit is the leftmost pixel.  A character the font lacks is shown as MISSING.
    """
    rows = _find(character)
    return rows if rows is not None else glyph(MISSING)


def has_glyph(character: str) -> bool:
    return _find(character) is not None


def _find(character: str) -> bytes | None:
    font = _font()
    key = b"\n%04X:" % ord(character)
    at = font.find(key)
    if at < 0:
        return None
    start = at + len(key)
    return bytes.fromhex(font[start : font.index(b"\n", start)].decode("ascii"))


@cache
def _font() -> bytes:
    return b"\n" + lzma.decompress(GLYPHS.read_bytes())
