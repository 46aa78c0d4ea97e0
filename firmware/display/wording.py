"""What of a message a small panel says: a headline, one instruction, an amount, a number."""

from __future__ import annotations

from firmware.display.screen import Shown
from firmware.display.signs import DONE, INSERT, PIN

MOST_STARS = 12
FIRST_NUMBER_SHOWN = 100  # lower ones are successes: nobody needs to quote them


def number(shown: Shown) -> str:
    """To be read out on the telephone; "" where there is none to quote."""
    if shown.number is None or shown.number < FIRST_NUMBER_SHOWN:
        return ""
    return str(shown.number)


def amount(shown: Shown) -> str:
    """With its sign, to be drawn large: what was done, what is asked for, what is typed."""
    return f"¥{shown.amount}" if shown.amount and shown.sign in (DONE, INSERT, PIN) else ""


def stars(shown: Shown) -> int:
    """At most 12, as a PIN; none where what is typed is an amount and can be read."""
    return 0 if amount(shown) else min(shown.entry.stars, MOST_STARS)


def has_stars(shown: Shown) -> bool:
    """Whether there must be room for them."""
    return shown.sign == PIN and not amount(shown)


def short(shown: Shown, language: str) -> list[str]:
    """Headline and instruction in "zh" or "en"; the amount is left out where it is drawn large."""
    text = shown.zh_panel if language == "zh" else shown.en_panel
    headline, then = text.split("\n")
    if amount(shown):
        headline = headline.replace(amount(shown), "").replace(shown.amount, "").rstrip()
    return [headline, then]


def advice(shown: Shown, language: str) -> str:
    """The whole of what to do next."""
    return shown.zh_next if language == "zh" else shown.en_next
