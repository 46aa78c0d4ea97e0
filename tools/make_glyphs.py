"""Make firmware/display/glyphs.hex.xz from GNU Unifont's unifont.hex.

    apt-get install unifont
    python -m tools.make_glyphs [/usr/share/unifont/unifont.hex]

Kept are ASCII, whatever GBK encodes (GB 2312 with its punctuation included), and all CJK ideographs
of the Basic Multilingual Plane, extension A with them: holders' names use rare ones.
"""

from __future__ import annotations

import lzma
import sys
from pathlib import Path

SOURCE = "/usr/share/unifont/unifont.hex"
TARGET = Path(__file__).parent.parent / "firmware" / "display" / "glyphs.hex.xz"

IDEOGRAPHS = (range(0x3400, 0x4DC0), range(0x4E00, 0xA000))
PRIVATE_USE = range(0xE000, 0xF900)
ALSO = (0xA5, 0x2022)  # a yen sign half as wide as GBK's; the other middle dot of names


def is_kept(code: int) -> bool:
    """Whether the panel can need that code point."""
    if any(code in block for block in IDEOGRAPHS):
        return True
    if code < 0x20 or code == 0x7F or code in PRIVATE_USE or 0xD800 <= code < 0xE000:
        return False
    try:
        chr(code).encode("gbk")
    except UnicodeEncodeError:
        return code in ALSO
    return True


def subset(lines: list[str]) -> bytes:
    """The kept lines `CODE:HEX`, by code point; a glyph is 8x16 (32 digits) or 16x16 (64)."""
    kept = sorted({line.strip() for line in lines if is_kept(int(line.partition(":")[0], 16))})
    return "".join(f"{line}\n" for line in kept).encode("ascii")


def main() -> int:
    source = Path(sys.argv[1] if len(sys.argv) > 1 else SOURCE)
    if not source.is_file():
        print(f"{source} is missing: apt-get install unifont, or name unifont.hex", file=sys.stderr)
        return 1
    glyphs = subset(source.read_text("ascii").splitlines())
    TARGET.write_bytes(lzma.compress(glyphs, preset=9 | lzma.PRESET_EXTREME))
    print(f"{TARGET}: {glyphs.count(10)} glyphs, {TARGET.stat().st_size} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
