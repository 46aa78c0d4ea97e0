"""What the unit says to people: one message at a time, on every screen it has."""

from __future__ import annotations

import math
import re
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from firmware.display.messages import message
from firmware.display.signs import INSERT, READY, SIGNS
from firmware.display.text import Text
from firmware.outcome import outcome

REMEMBERED = 50
LONGEST_FIELD = 40
LANGUAGES = ("both", "zh", "en")


class Screen(Protocol):
    """Whoever has something to say speaks to this."""

    def show(self, message_id: str, **fields: str) -> None:
        """Show that message of messages.py, its fields filled in; KeyError for an unknown id."""


@dataclass(frozen=True)
class Entry:
    """What changes while a message stands.

    stars: digits typed so far.  seconds_left: until the unit stops waiting, None where it does not
    count; seconds: what it counted down from, at least 1.
    """

    stars: int = 0
    seconds_left: int | None = None
    seconds: int = 1


@dataclass(frozen=True)
class Shown:
    """One message as it was shown: the texts with their fields filled in.

    count: 1, 2, 3, ... since start.  number: of the outcome of that name, None for progress.
    zh_panel, en_panel: short forms, one or two lines.  sign: of signs.py.  amount: in yuan
    ("12.50"), to be shown large; "" where the message is about no amount.  language: "both", "zh"
    or "en", for now.
    """

    count: int
    id: str
    number: int | None
    zh: str
    en: str
    zh_next: str
    en_next: str
    zh_panel: str
    en_panel: str
    sign: str
    amount: str = ""
    language: str = "both"
    entry: Entry = Entry()


class Surface(Protocol):
    """Something a message can be drawn on: a window, a panel; lamps and a buzzer too."""

    def draw(self, shown: Shown) -> None:
        """A message that is not new comes with the count of the one before it."""


class Display:
    """A Screen over any number of surfaces, none for a headless unit.

    Remembers what it showed.  A surface that fails does not stop the others, nor the payment that
    had something to say: its last fault is kept.  Safe to use from several threads.
    """

    def __init__(self, surfaces: Sequence[Surface], language: str = "both"):
        self._surfaces = tuple(surfaces)
        self._usual_language = self._language = language
        self._drawing = threading.Lock()
        self._state = threading.Lock()
        self._shown: deque[Shown] = deque(maxlen=REMEMBERED)
        self._count = 0
        self._entry = Entry()
        self._faults: dict[str, str] = {}

    def show(self, message_id: str, **fields: str) -> None:
        clean = {name: _clean(each) for name, each in fields.items()}
        text = message(message_id)
        filled = text.filled(clean)
        with self._drawing:
            with self._state:
                if SIGNS[message_id] == READY:
                    self._language = self._usual_language  # the next holder may read another
                self._count += 1
                self._entry = Entry()
                shown = Shown(
                    self._count, message_id, _number(message_id),
                    filled.zh, filled.en, filled.zh_next, filled.en_next,
                    filled.zh_panel, filled.en_panel,
                    SIGNS[message_id], _amount(message_id, text, clean), self._language,
                )  # fmt: skip
                self._shown.append(shown)
            self._draw_all(shown)

    def type(self, stars: int) -> None:
        """Draw the message that stands with so many stars; nothing is remembered of it."""
        self._enter(lambda entry: replace(entry, stars=stars))

    def count_down(self, seconds_left: int | None) -> None:
        """Draw the message that stands with the time left; None: the unit no longer counts."""

        def counted(entry: Entry) -> Entry:
            if seconds_left is None:
                return replace(entry, seconds_left=None, seconds=1)
            of = max(1, seconds_left, entry.seconds if entry.seconds_left is not None else 1)
            return replace(entry, seconds_left=max(0, seconds_left), seconds=of)

        self._enter(counted)

    def typed(self, stars: int, left_s: float) -> None:
        """As type() and count_down(): what a PIN pad tells while somebody types."""
        self.type(stars)
        self.count_down(math.ceil(left_s))

    def next_language(self) -> str:
        """Draw the message that stands in the next language; it holds until the unit is ready."""
        with self._drawing:
            with self._state:
                at = LANGUAGES.index(self._language) + 1
                self._language = LANGUAGES[at % len(LANGUAGES)]
            self._draw_again()
        return self._language

    def _enter(self, change: Callable[[Entry], Entry]) -> None:
        with self._drawing:
            with self._state:
                before = self._entry
                self._entry = change(before)
            if self._entry != before:
                self._draw_again()

    def _draw_again(self) -> None:
        with self._state:
            if not self._shown:
                return
            shown = replace(self._shown[-1], language=self._language, entry=self._entry)
        self._draw_all(shown)

    def _draw_all(self, shown: Shown) -> None:
        for surface in self._surfaces:
            self._draw(surface, shown)

    def _draw(self, surface: Surface, shown: Shown) -> None:
        name = type(surface).__name__
        try:
            surface.draw(shown)
        except Exception as error:  # whatever a screen does, the payment goes on
            with self._state:
                self._faults[name] = f"{type(error).__name__}: {error}"
        else:
            with self._state:
                self._faults.pop(name, None)

    def close(self) -> None:
        """The last message gets to what is drawn in a thread of its own: panel, lamps, buzzer."""
        for surface in self._surfaces:
            close = getattr(surface, "close", None)
            if close is not None:
                close()

    @property
    def current(self) -> Shown | None:
        """What was shown last; None before the first message."""
        with self._state:
            return self._shown[-1] if self._shown else None

    def since(self, count: int = 0) -> list[Shown]:
        """What was shown after the message of that count, oldest first; the last 50 at most."""
        with self._state:
            return [each for each in self._shown if each.count > count]

    @property
    def faults(self) -> dict[str, str]:
        """The surfaces that failed at the last message, by class name, and how."""
        with self._state:
            return dict(self._faults)


def _number(message_id: str) -> int | None:
    try:
        return outcome(message_id).number
    except KeyError:
        return None


def _amount(message_id: str, text: Text, fields: dict[str, str]) -> str:
    """The amount the message is about: one it names, or what the card is asked for.

    8 digits: an amount has 4 bytes, in fen.
    """
    for name in ("balance", "amount"):
        found = fields.get(name, "")
        is_meant = name in text.field_names() or SIGNS[message_id] == INSERT
        if is_meant and re.fullmatch(r"[0-9]{1,8}\.[0-9]{2}", found):
            return found
    return ""


def _clean(field: str) -> str:
    """A field may come from a card or a host: nothing that would steer a terminal, not too long."""
    printable = "".join(each if each.isprintable() else "?" for each in field)
    return printable if len(printable) <= LONGEST_FIELD else printable[: LONGEST_FIELD - 1] + "…"
