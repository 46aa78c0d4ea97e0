"""A terminal window with flash.py in it: what it shows, as text and as a picture with that text."""

from __future__ import annotations

import contextlib
import html
import io
import re
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from tests.chromium_rig import Browser
from tests.flash_rig import flash

IMAGES = Path(__file__).resolve().parents[1] / "docs" / "img"
TEXT = "sscterm-text"  # the chunk of a PNG that holds what stands on it
COLUMNS, COLOURS = 104, 48


class Screen(io.StringIO):
    """What a terminal shows: a line that is drawn again replaces itself."""

    def isatty(self) -> bool:
        return True

    def shown(self) -> str:
        lines = self.getvalue().replace("\x1b[K", "").split("\n")
        return "\n".join(line.rpartition("\r")[2] for line in lines).rstrip("\n") + "\n"


class Typed(io.StringIO):
    """Keys, echoed on the screen as a terminal does it."""

    def __init__(self, text: str, screen: Screen):
        super().__init__(text)
        self._screen = screen

    def readline(self, *_: object) -> str:
        line = super().readline()
        self._screen.write(line)
        return line


def session(
    folder: Path, words: str, typed: str = "", run: Callable[..., int] = flash, ends: int = 0
) -> str:
    """One run of `flash.py words` in the folder, as it looks.  ends: its exit status."""
    screen = Screen()
    with (
        contextlib.chdir(folder),
        contextlib.redirect_stdout(screen),
        contextlib.redirect_stderr(screen),
        patch.object(sys, "stdin", Typed(typed, screen)),
    ):
        status = run(folder, *shlex.split(words))
    assert status == ends, screen.getvalue()
    return f"$ flash.py {words}\n{screen.shown()}".replace(f"{folder}/", "")


def settled(text: str) -> str:
    """Without what differs between two runs that do the same."""
    for pattern, instead in (
        (r"loop\d+", "loopN"),
        (r"\d{4}-\d\d-\d\dT[\d:]+(Z|[+-]\d{4})|\d{8}T\d{6}|\d{4}-\d\d-\d\dT[\d-]+", "TIME"),
        (r"\d+ %\s+[\d.]+ MB/s\s+剩余 left \S+( s)?", "SPEED"),
        (r"\b\d+ B\b", "SIZE"),
        (r"\d+ batches wait|batches: \d+", "BATCHES"),
        (r"free_mb: \d+", "FREE"),
    ):
        text = re.sub(pattern, instead, text)
    return text


PAGE = """<!doctype html><meta charset="utf-8"><style>
body {{ margin: 0; background: #1d2021; }}
pre {{ margin: 0; padding: 14px 18px; color: #e8e6df; white-space: pre-wrap; width: {columns}ch;
  overflow-wrap: anywhere; font: 14px/1.5 "DejaVu Sans Mono", "Noto Sans Mono CJK SC", monospace; }}
b {{ color: #8ec07c; font-weight: normal; }}
</style><main data-ready="yes"><pre>{text}</pre></main>"""


def page(text: str) -> str:
    """The typed line in another colour."""
    typed, _, rest = html.escape(text).partition("\n")
    return PAGE.format(columns=COLUMNS, text=f"<b>{typed}</b>\n{rest}".rstrip("\n"))


def draw(browser: Browser, text: str, target: Path, folder: Path) -> None:
    file = folder / f"{target.stem}.html"
    file.write_text(page(text), encoding="utf-8")
    shown = browser.open(file.as_uri(), 200, 100)
    size = shown.value("(({width, height}) => [width, height])"
                       "(document.querySelector('pre').getBoundingClientRect())")  # fmt: skip
    shown.resize(*(int(each) + 1 for each in size))
    image = Image.open(io.BytesIO(shown.screenshot())).convert("RGB")
    shown.close()
    kept = PngInfo()
    kept.add_itxt(TEXT, text)
    small = image.quantize(COLOURS, dither=Image.Dither.NONE)
    small.save(target, optimize=True, pnginfo=kept)
    print(f"{target.name}: {target.stat().st_size} B")


def text_of(path: Path) -> str:
    """What stands on a picture."""
    with Image.open(path) as image:
        image.load()
        return str(image.info[TEXT])


def picture(name: str) -> Path:
    return IMAGES / f"flash-{name}.png"
