"""Not pyscard's: a thread that looks again and again until it is told to stop."""

import _thread
import sys

from .deadline import Deadline, pause_ms
from .Exceptions import SmartcardException
from .pcsc.PCSCExceptions import BaseSCardException

_JOIN_S = 5
_SLICE_MS = 50
_AWAY_MS = 1000


class MonitorThread:
    """known: what it saw last.  A subclass has look() -> what is there now, and may have end()."""

    def __init__(self, observable):
        self.observable = observable
        self.known = []
        self._is_asked_to_stop = False
        self._is_away = False
        self._has_ended = True
        self._ident = None

    def start(self):
        self._has_ended = False
        _thread.start_new_thread(self._run, ())

    def is_alive(self):
        return not self._has_ended

    def stop(self):
        """It tells nobody anything from now on; ends within a second or so."""
        self._is_asked_to_stop = True

    def join(self, timeout=_JOIN_S):
        """Wait until it has ended, at most that many seconds; not within its own thread."""
        deadline = Deadline(timeout)
        while not self._has_ended and self._ident != _thread.get_ident():
            if deadline.is_over():
                return
            pause_ms(_SLICE_MS)

    def pause_ms(self, milliseconds):
        """Ends early when asked to stop."""
        deadline = Deadline(milliseconds / 1000)
        while not self._is_asked_to_stop and not deadline.is_over():
            pause_ms(deadline.left_ms(_SLICE_MS))

    def look(self):
        """Waits for a change, at most a second or so.  None: nothing new."""
        raise NotImplementedError

    def end(self):
        pass

    def _run(self):
        self._ident = _thread.get_ident()
        try:
            while not self._is_asked_to_stop:
                self._step()
        finally:
            self.end()
            self._has_ended = True

    def _step(self):
        try:
            now = self.look()
            self._is_away = False
        except (SmartcardException, BaseSCardException) as error:
            # pcscd is away: what it knew is gone, and comes back with it.
            if not self._is_away:
                report(error)
            self._is_away = True
            self.end()
            self._tell([])
            self.pause_ms(_AWAY_MS)
            return
        if now is not None:
            self._tell(now)

    def _tell(self, now):
        """An observer that raises is reported; the others are told all the same."""
        with self.observable.mutex:
            added = [each for each in now if each not in self.known]
            removed = [each for each in self.known if each not in now]
            self.known = now
            observers = list(self.observable.obs)
        if not added and not removed:
            return
        for observer in observers:
            if self._is_asked_to_stop:
                return
            try:
                observer.update(self.observable, (added, removed))
            except Exception as error:
                report(error)


def report(error):
    """Write an exception to standard error."""
    if hasattr(sys, "print_exception"):  # MicroPython
        sys.print_exception(error, sys.stderr)
        return
    import traceback

    traceback.print_exception(type(error), error, error.__traceback__)
