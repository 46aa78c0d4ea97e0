"""The screens of a panel of letters (HD44780): 16x4 or 20x2 ASCII characters.

It has no Chinese characters.  So every outcome has its number, "301", which docs/errors.md and
docs/screens/README.md explain in Chinese.
"""

from __future__ import annotations

from firmware.display import wording
from firmware.display.screen import Shown


def compose(shown: Shown, columns: int, rows: int) -> list[str]:
    """`rows` (2 or 4) lines of exactly `columns` (20 or 16)."""
    lines = _four(shown, columns) if rows == 4 else _two(shown, columns)
    return [_ascii(line).ljust(columns) for line in lines]


def _four(shown: Shown, columns: int) -> list[str]:
    """Headline, instruction, amount or stars, number and seconds."""
    headline, then = wording.short(shown, "en")
    middle = "*" * wording.stars(shown) or _money(shown)
    return [headline, then, middle, _apart(_number(shown), _seconds(shown), columns)]


def _two(shown: Shown, columns: int) -> list[str]:
    """Headline and number; instruction or stars, and the seconds or an amount not yet said."""
    headline, then = shown.en_panel.split("\n")
    then = "*" * wording.stars(shown) or then
    right = _seconds(shown)
    if not right and shown.amount not in headline and wording.amount(shown):
        right = shown.amount
    if len(then) + 1 + len(right) > columns:
        right = ""  # what to do comes first
    return [_apart(headline, _number(shown), columns), _apart(then, right, columns)]


def _money(shown: Shown) -> str:
    return f"{shown.amount} yuan" if wording.amount(shown) else ""


def _number(shown: Shown) -> str:
    """Here successes have theirs too: a number is all that a reader of Chinese has."""
    return "" if shown.number is None else f"{shown.number:03}"


def _seconds(shown: Shown) -> str:
    left = shown.entry.seconds_left
    return "" if left is None else f"{min(left, 999)}s"


def _apart(left: str, right: str, columns: int) -> str:
    return left + right.rjust(columns - len(left))


def _ascii(line: str) -> str:
    return line.encode("ascii", "replace").decode("ascii")
