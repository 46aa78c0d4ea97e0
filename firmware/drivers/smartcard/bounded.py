"""Not pyscard's: a call that may never end, in a thread of its own, waited for at most so long."""

import _thread
import sys

from .deadline import Deadline, pause_ms

_LOOK_MS = 1  # MicroPython's locks know no time-out, so they are looked at


class TooLate(Exception):
    """The call is still running."""


def call(function, arguments, seconds, clean_up):
    """What function(*arguments) returns or raises; TooLate after `seconds`.

    clean_up: called without arguments when a late call ends after all.
    """
    running = _Running(function, arguments, clean_up)
    _thread.start_new_thread(running.run, ())
    if not running.wait(seconds):
        raise TooLate
    if running.error is not None:
        raise running.error
    return running.result


class _Running:
    def __init__(self, function, arguments, clean_up):
        self.result = None
        self.error = None
        self._function = function
        self._arguments = arguments
        self._clean_up = clean_up
        self._is_late = False
        self._has_ended = False
        self._state = _thread.allocate_lock()
        self._running = _thread.allocate_lock()
        self._running.acquire()

    def run(self):
        try:
            self.result = self._function(*self._arguments)
        except Exception as error:
            self.error = error
        with self._state:
            self._has_ended = True
            is_late = self._is_late
        self._running.release()
        if is_late:
            self._clean_up()

    def wait(self, seconds):
        """True once it has ended; after False clean_up will be called."""
        _acquire(self._running, seconds)
        with self._state:
            self._is_late = not self._has_ended
        return not self._is_late


def _acquire(lock, seconds):
    if sys.implementation.name == "cpython":
        lock.acquire(True, seconds)
        return
    deadline = Deadline(seconds)
    while not lock.acquire(False) and not deadline.is_over():
        pause_ms(_LOOK_MS)
