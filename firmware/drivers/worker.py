"""One thread that makes the calls which may never return, each under a deadline."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Any


class Worker:
    """Runs functions one after another in its own thread; used by one caller at a time.

    After a deadline the worker is lost: its thread is still inside the call.  When that returns,
    the thread runs `farewell` and ends; the answer that came too late goes nowhere.
    """

    def __init__(self, name: str, farewell: Callable[[], None]):
        self._farewell = farewell
        self._calls: SimpleQueue[Callable[[], Any] | None] = SimpleQueue()
        self._results: SimpleQueue[tuple[Any, Exception | None]] = SimpleQueue()
        # A daemon: a silent card must not keep the process from ending.
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def call(self, function: Callable[[], Any], deadline_s: float) -> Any:
        """What function returns or raises; TimeoutError when it does neither in time."""
        self._calls.put(function)
        try:
            result, error = self._results.get(timeout=deadline_s)
        except Empty:
            self._calls.put(None)
            raise TimeoutError(f"no answer within {deadline_s} s") from None
        if error is not None:
            raise error
        return result

    def end(self, deadline_s: float) -> None:
        """Let the farewell be said, and wait for it no longer than the deadline."""
        self._calls.put(None)
        self._thread.join(deadline_s)

    def _run(self) -> None:
        while (function := self._calls.get()) is not None:
            try:
                self._results.put((function(), None))
            except Exception as error:
                self._results.put((None, error))
            del function  # it may hold a command with a PIN in it
        self._farewell()
