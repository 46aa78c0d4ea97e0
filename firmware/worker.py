"""One thread that makes the calls which may never return, each under a deadline."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Any

_Results = SimpleQueue[tuple[Any, Exception | None]]


class Worker:
    """Runs functions one after another in its own thread; used by one caller at a time.

    After a deadline the worker is lost: its thread is still inside the call.  When that returns,
    the thread runs `farewell` and ends.
    """

    def __init__(self, name: str, farewell: Callable[[], None]):
        self._farewell = farewell
        self._calls: SimpleQueue[tuple[Callable[[], Any], _Results] | None] = SimpleQueue()
        # A daemon: a silent card must not keep the process from ending.
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def call(self, function: Callable[[], Any], deadline_s: float) -> Any:
        """What function returns or raises; TimeoutError when it does neither in time."""
        results: _Results = SimpleQueue()  # its own: an answer too late meets nobody
        self._calls.put((function, results))
        try:
            result, error = results.get(timeout=deadline_s)
        except Empty:
            self._calls.put(None)
            raise TimeoutError(f"no answer within {deadline_s} s") from None
        if error is not None:
            raise error
        return result

    def end(self, deadline_s: float) -> None:
        """Let the farewell be said, and wait for it no longer than the deadline."""
        self._calls.put(None)
        self.has_ended(deadline_s)

    def has_ended(self, wait_s: float) -> bool:
        """Whether the thread came back from its last call and is gone, waiting that long for it."""
        self._thread.join(wait_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while (call := self._calls.get()) is not None:
            function, results = call
            try:
                results.put((function(), None))
            except Exception as error:
                results.put((None, error))
            del call, function, results  # the command may carry a PIN
        self._farewell()
