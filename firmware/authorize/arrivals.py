"""The card loop between two looks: an empty terminal is woken by its readers, and need not ask."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from firmware.authorize.unit import Menu
from firmware.channel import Reader

POLL_S = 0.1
"""Between two looks at the readers, unless the terminal is empty and they tell by themselves."""
EMPTY_S = 1.0


class Rest:
    def __init__(self, pause: Callable[[float], None], menu: Menu | None):
        """pause: sleeps that long, or until it is woken; so does menu, listening to its keys."""
        self._pause = pause
        self._menu = menu
        self._are_telling = False

    def listen(self, readers: Sequence[Reader], wake: Callable[[], None]) -> None:
        """Have each reader that can (channel.Telling) call wake(), from a thread of its own.

        What it tells is only a reason to look: `cards_in_reach` says what is there.
        """
        able = [each.when_changed for each in readers if hasattr(each, "when_changed")]
        for when_changed in able:
            when_changed(wake)
        self._are_telling = len(able) == len(readers)

    def until_the_next_look(self, is_empty: bool) -> None:
        """is_empty: no card, and nothing on the screen that must be replaced in time."""
        is_open = self._menu is not None and self._menu.is_open
        may_sleep = is_empty and self._are_telling and not is_open
        pass_time = self._pause if self._menu is None else self._menu.rest
        pass_time(EMPTY_S if may_sleep else POLL_S)
