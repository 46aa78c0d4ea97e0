"""What the unit says to people: one message at a time, on every screen it has."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from firmware.display.messages import message
from firmware.outcome import outcome

REMEMBERED = 50
LONGEST_FIELD = 40


class Screen(Protocol):
    """Whoever has something to say speaks to this."""

    def show(self, message_id: str, **fields: str) -> None:
        """Show that message of messages.py, its fields filled in; KeyError for an unknown id."""


@dataclass(frozen=True)
class Shown:
    """One message as it was shown: the texts with their fields filled in.

    count: 1, 2, 3, ... since start.  number: of the outcome of that name, None for progress.
    zh_panel, en_panel: short forms, one or two lines.
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


class Surface(Protocol):
    """Something a message can be drawn on: a window, a panel."""

    def draw(self, shown: Shown) -> None: ...


class Display:
    """A Screen over any number of surfaces, none for a headless unit.

    Remembers what it showed.  A surface that fails does not stop the others, nor the payment that
    had something to say: its last fault is kept.  Safe to use from several threads.
    """

    def __init__(self, surfaces: Sequence[Surface]):
        self._surfaces = tuple(surfaces)
        self._drawing = threading.Lock()
        self._state = threading.Lock()
        self._shown: deque[Shown] = deque(maxlen=REMEMBERED)
        self._count = 0
        self._faults: dict[str, str] = {}

    def show(self, message_id: str, **fields: str) -> None:
        text = message(message_id).filled({name: _clean(each) for name, each in fields.items()})
        with self._drawing:
            with self._state:
                self._count += 1
                shown = Shown(
                    self._count, message_id, _number(message_id),
                    text.zh, text.en, text.zh_next, text.en_next, text.zh_panel, text.en_panel,
                )  # fmt: skip
                self._shown.append(shown)
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


def _clean(field: str) -> str:
    """A field may come from a card or a host: nothing that would steer a terminal, not too long."""
    printable = "".join(each if each.isprintable() else "?" for each in field)
    return printable if len(printable) <= LONGEST_FIELD else printable[: LONGEST_FIELD - 1] + "…"
