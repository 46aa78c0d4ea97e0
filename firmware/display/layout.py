"""Fitting text into columns: an East Asian wide character takes two, others one (UAX #11)."""

from __future__ import annotations

import re
from unicodedata import east_asian_width

NEVER_FIRST = "，。：；！？、）》”’"
"""Closing marks that do not begin a line (Chinese typesetting, GB/T 15834)."""

_PIECE = re.compile(rf" +|(?:[!-~]+|.)[{NEVER_FIRST}]*")


def width(text: str) -> int:
    """The columns that text takes."""
    return sum(2 if east_asian_width(each) in "WF" else 1 for each in text)


def wrap(text: str, columns: int) -> list[str]:
    """Text in lines of at most `columns` (4 or more); only words longer than a line are cut."""
    lines = [""]
    for piece in _PIECE.findall(text):
        for part in _cut(piece, columns):
            if width(lines[-1] + part) > columns:
                lines[-1] = lines[-1].rstrip()
                lines.append("")
            if lines[-1] or not part.isspace():
                lines[-1] += part
    return [line for line in lines if line]


def balanced(text: str, columns: int) -> list[str]:
    """As few lines as wrap() makes, of about the same length: no character stands alone.

    No word is cut that wrap() leaves whole.
    """
    most = len(wrap(text, columns))
    longest = max((width(piece.strip()) for piece in _PIECE.findall(text)), default=0)
    narrower = range(max(4, longest, -(-width(text) // max(1, most))), columns)
    fitting = (wrap(text, each) for each in narrower)
    return next((lines for lines in fitting if len(lines) <= most), wrap(text, columns))


def _cut(piece: str, columns: int) -> list[str]:
    parts = [""]
    for each in piece:
        if width(parts[-1] + each) > columns:
            parts.append("")
        parts[-1] += each
    return parts
