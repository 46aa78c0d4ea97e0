"""The text window: messages in the terminal the daemon was started from."""

from __future__ import annotations

from typing import TextIO

from firmware.display.layout import width, wrap
from firmware.display.screen import Shown

COLUMNS = 56


def render(shown: Shown, language: str) -> str:
    """The message in a box of COLUMNS columns; language "both", "zh" or "en"."""
    lines: list[str] = []
    if language in ("both", "zh"):
        lines += _paragraph(shown.zh, shown.zh_next)
    if language in ("both", "en"):
        lines += _paragraph(shown.en, shown.en_next)
    mark = "" if shown.number is None else f" {shown.number:03d} "
    top = "┌" + "─" * (COLUMNS - 2) + "┐\n"
    body = "".join(f"│ {line}{' ' * (COLUMNS - 4 - width(line))} │\n" for line in lines)
    return top + body + "└" + "─" * (COLUMNS - 3 - len(mark)) + mark + "─┘\n"


def _paragraph(text: str, then: str) -> list[str]:
    """What is, and indented under it what to do."""
    inner = COLUMNS - 4
    return wrap(text, inner) + [
        ("> " if index == 0 else "  ") + line for index, line in enumerate(wrap(then, inner - 2))
    ]


class Window:
    """A surface that prints on a stream."""

    def __init__(self, stream: TextIO):
        self._stream = stream
        self._last: tuple[int, str] | None = None

    def draw(self, shown: Shown) -> None:
        """Nothing where only stars or seconds changed: what is printed cannot be taken back."""
        if self._last != (shown.count, shown.language):
            self._last = shown.count, shown.language
            self._stream.write(render(shown, shown.language))
            self._stream.flush()
