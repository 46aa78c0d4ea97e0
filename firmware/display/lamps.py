"""The lamps and the buzzer: surfaces that show a message by its sign.

What switches them is handed in and may be slow, gone or broken: each has a thread of its own, so
`draw` never waits; a fault is told at the next message (Display.faults) and tried again then.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Protocol

from firmware.display import signs
from firmware.display.screen import Shown
from firmware.display.tones import Beat, tune

BLINK_S = 0.4
_WAITING = 3  # messages; older ones are dropped, their moment is over
_END_S = 3.0

ON, OFF, BLINK = "on", "off", "blink"
CARD_LAMP = {
    **dict.fromkeys(signs.ALL, OFF),
    signs.INSERT: BLINK,
    signs.READING: ON,
    signs.PIN: ON,
    signs.WORKING: ON,
}
"""Blinking: a card is wanted.  Lit: it must stay.  Dark: take it."""
ERROR_LAMP = {**dict.fromkeys(signs.ALL, OFF), signs.CALL: ON, signs.FAULT: ON}


class Switch(Protocol):
    """A lamp.  Raises OSError."""

    def set(self, is_on: bool) -> None: ...


class Sounder(Protocol):
    """A buzzer.  Raises OSError."""

    def start(self, hertz: int) -> None: ...
    def stop(self) -> None: ...


class _Player:
    """Plays what was drawn last in its own thread, until the next message or the end."""

    def __init__(self, name: str, play: Callable[[Shown, threading.Event], None]):
        """play: (message, told when there is another).  Raises OSError."""
        self._play = play
        self._changed = threading.Condition()
        self._waiting: deque[Shown] = deque(maxlen=_WAITING)
        self._next = threading.Event()
        self._count = 0
        self._fault: OSError | None = None
        self._is_ending = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def draw(self, shown: Shown) -> None:
        """Never waits.  Raises the fault of the message before."""
        with self._changed:
            fault, self._fault = self._fault, None
            if shown.count != self._count:  # else only the stars or the seconds moved on
                self._count = shown.count
                self._waiting.append(shown)
                self._next.set()
                self._changed.notify()
        if fault is not None:
            raise fault

    def close(self) -> None:
        """What was drawn is played, then the thread ends."""
        with self._changed:
            self._is_ending = True
            self._next.set()
            self._changed.notify()
        self._thread.join(_END_S)

    def _run(self) -> None:
        while (shown := self._take()) is not None:
            try:
                self._play(shown, self._next)
            except OSError as error:
                with self._changed:
                    self._fault = error

    def _take(self) -> Shown | None:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._is_ending)
            if not self._waiting:
                return None
            shown = self._waiting.popleft()
            if not self._waiting and not self._is_ending:
                self._next.clear()
            return shown


class Lamp(_Player):
    """states: sign -> ON, OFF or BLINK."""

    def __init__(self, name: str, switch: Switch, states: dict[str, str]):
        super().__init__(name, self._show)
        self._switch = switch
        self._states = states

    def _show(self, shown: Shown, changed: threading.Event) -> None:
        state = self._states[shown.sign]
        self._switch.set(state != OFF)
        is_on = True
        while state == BLINK and not changed.wait(BLINK_S):
            is_on = not is_on
            self._switch.set(is_on)


class Buzzer(_Player):
    """is_quiet: it only tells what went wrong."""

    def __init__(
        self,
        sounder: Sounder,
        is_quiet: bool,
        wait: Callable[[float], object] = time.sleep,
    ):
        super().__init__("buzzer", self._play_tune)
        self._sounder = sounder
        self._is_quiet = is_quiet
        self._wait = wait

    def _play_tune(self, shown: Shown, changed: threading.Event) -> None:
        """To its end: a tune cut short would be another one."""
        for beat in tune(shown.sign, shown.number, self._is_quiet):
            self._sound(beat)

    def _sound(self, beat: Beat) -> None:
        self._sounder.start(beat.hertz)
        try:
            self._wait(beat.on_ms / 1000)
        finally:
            self._sounder.stop()
        self._wait(beat.off_ms / 1000)
