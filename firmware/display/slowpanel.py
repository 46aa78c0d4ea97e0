"""A panel on a bus: drawn in a thread of its own, so that no payment waits for it.

Only the newest message is drawn.  A panel that fails is tried again until it answers, and shows
then what stands by then.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from firmware.display.screen import Shown

TURN_S = 2.5
"""How long each of several pictures of one message stands."""
RETRY_S = 2.0


class SlowPanel:
    """A Surface.  compose: a message -> its pictures, at least one.  show: puts one on the device.

    Whatever either raises is the fault that the next draw() raises, until a picture stands again.
    """

    def __init__(
        self,
        compose: Callable[[Shown], Sequence[Any]],
        show: Callable[[Any], None],
        turn_s: float = TURN_S,
        retry_s: float = RETRY_S,
    ):
        self._compose = compose
        self._show = show
        self._turn_s = turn_s
        self._retry_s = retry_s
        self._changed = threading.Condition()
        self._newest: Shown | None = None
        self._fault: Exception | None = None
        self._is_closed = False
        self._is_drawn = True
        self._thread: threading.Thread | None = None

    def draw(self, shown: Shown) -> None:
        with self._changed:
            if self._is_closed:
                return
            self._newest, self._is_drawn = shown, False
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="panel", daemon=True)
                self._thread.start()
            self._changed.notify_all()
            if self._fault is not None:
                raise self._fault.with_traceback(None)  # or each telling would lengthen it

    def try_once(self, shown: Shown) -> None:
        """Its first picture, at once and in this thread.  Raises whatever the device raises."""
        self._show(self._compose(shown)[0])

    def close(self, deadline_s: float = 1.0) -> None:
        """Ends when the newest message stands, or has failed, or at the deadline."""
        until = time.monotonic() + deadline_s
        with self._changed:
            self._changed.wait_for(lambda: self._is_drawn, deadline_s)
            self._is_closed = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(max(0.0, until - time.monotonic()))

    def _run(self) -> None:
        drawn: Shown | None = None
        while (shown := self._next(drawn)) is not None:
            drawn = shown
            self._present(shown)

    def _next(self, drawn: Shown | None) -> Shown | None:
        """The message after that one; None when closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_closed or self._newest is not drawn)
            return None if self._is_closed else self._newest

    def _present(self, shown: Shown) -> None:
        """Until another message comes, or the panel is closed; returns at once where one picture
        stands."""
        at = 0
        pictures: Sequence[Any] = ()
        while True:
            try:
                pictures = pictures or self._compose(shown)
                self._show(pictures[at % len(pictures)])
                fault = None
            except Exception as error:  # whatever a device does: it is tried again
                fault = error
            with self._changed:
                self._fault = fault
                if self._newest is shown:
                    self._is_drawn = True
                    self._changed.notify_all()
                if fault is None and len(pictures) == 1:
                    return
                pause = self._turn_s if fault is None else self._retry_s
                if self._changed.wait_for(
                    lambda: self._is_closed or self._newest is not shown, pause
                ):
                    return
            at += fault is None
