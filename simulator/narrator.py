"""What the demo prints: headings, who does what, and the display as the clerk sees it."""

from __future__ import annotations

import os
import re
import time
from typing import Any, TextIO
from unicodedata import east_asian_width

WHO = {
    "clerk": "收费员 clerk",
    "holder": "持卡人 holder",
    "display": "显示 display",
    "host": "系统 host",
    "power": "供电 power",
    "office": "后台 office",
    "stage": "准备 set-up",
}
COLUMNS = 80  # of the window we write for; only tables are wider
_MARGIN = 15  # the longest of WHO, and a gap
_INNER = 56  # of the box

# A word or one Chinese character, with the marks that may not begin a line.
_PIECE = re.compile(r"(?:[!-~]+|.)[，。：；！？、）]* ?")

# ECMA-48 (SGR) parameters.
BOLD, DIM, RED, GREEN, YELLOW, CYAN = "1", "2", "31", "32", "33", "36"


class Narrator:
    """Coloured on a terminal only, and not where NO_COLOR is set."""

    def __init__(self, stream: TextIO):
        self._stream = stream
        self._is_coloured = stream.isatty() and "NO_COLOR" not in os.environ
        self._started = time.monotonic()

    def heading(self, zh: str, en: str, mark: str = "") -> None:
        """mark: how far we are, "3/9"; the seconds since the start stand at the end."""
        seconds = f"{time.monotonic() - self._started:5.1f} s"
        text = f"━━ {mark + '  ' if mark else ''}{zh} · {en} "
        fill = "━" * max(2, COLUMNS - width(text) - len(seconds) - 1)
        self._line("")
        self._line(self._in(f"{text}{fill} {seconds}", BOLD))

    def says(self, who: str, text: str, style: str = "") -> None:
        """who: a key of WHO."""
        margin = WHO[who] + " " * (_MARGIN - width(WHO[who]))
        first, *others = text.splitlines() or [""]
        self._line(self._in(margin, CYAN) + self._in(first, style))
        for other in others:
            self._line(" " * _MARGIN + self._in(other, style))

    def display(self, shown: dict[str, Any]) -> None:
        """One message of the terminal: progress on a line, an outcome in a box with its number."""
        if shown["number"] is None:
            fits = _MARGIN + width(f"{shown['zh']} {shown['en']}") <= COLUMNS
            self.says("display", f"{shown['zh']}{' ' if fits else chr(10)}{shown['en']}", DIM)
            return
        self.says("display", _boxed(shown), _style(shown["number"]))

    def table(self, rows: list[list[str]], right: set[int]) -> None:
        """The first row is the head; right: columns of numbers."""
        widths = [max(map(width, column)) for column in zip(*rows, strict=True)]
        for at, row in enumerate(rows):
            cells = []
            for column, (cell, wide) in enumerate(zip(row, widths, strict=True)):
                gap = " " * (wide - width(cell))
                cells.append(gap + cell if column in right else cell + gap)
            self._line(self._in("  ".join(cells).rstrip(), "" if at else BOLD))

    def text(self, text: str, style: str = "") -> None:
        for line in text.splitlines():
            self._line(self._in(line, style))

    def _in(self, text: str, style: str) -> str:
        return f"\x1b[{style}m{text}\x1b[0m" if self._is_coloured and style and text else text

    def _line(self, text: str) -> None:
        print(text, file=self._stream, flush=True)


def _boxed(shown: dict[str, Any]) -> str:
    lines = [
        line
        for language in ("zh", "en")
        for line in (*_wrapped(shown[language]), *_wrapped(shown[f"{language}_next"], "> "))
    ]
    mark = f" {shown['number']:03d} "
    body = [f"│ {line}{' ' * (_INNER - width(line))} │" for line in lines]
    top = "┌" + "─" * (_INNER + 2) + "┐"
    bottom = "└" + "─" * (_INNER + 1 - len(mark)) + mark + "─┘"
    return "\n".join([top, *body, bottom])


def _wrapped(text: str, first: str = "") -> list[str]:
    """Lines of at most _INNER columns; first: what the first begins with, others are indented."""
    lines = [first]
    for piece in _PIECE.findall(text):
        if width(lines[-1] + piece.rstrip()) > _INNER:
            lines.append(" " * len(first))
        lines[-1] += piece
    return [line.rstrip() for line in lines]


def _style(number: int) -> str:
    """Green: taken, or surely not taken after a check; red: the unit; yellow: the rest."""
    if number < 100:
        return GREEN
    return RED if number >= 600 else YELLOW


def width(text: str) -> int:
    """Columns in a terminal window: East Asian wide characters take two (UAX #11)."""
    return sum(2 if east_asian_width(each) in "WF" else 1 for each in text)


def yuan(amount_fen: int) -> str:
    """123456 -> "1234.56"."""
    sign = "-" if amount_fen < 0 else ""
    return f"{sign}{abs(amount_fen) // 100}.{abs(amount_fen) % 100:02d}"
