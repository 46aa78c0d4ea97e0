"""Telling observers which cards come and go.

A thread watches as long as there is an observer, and no longer.
"""

from .CardRequest import CardRequest
from .Exceptions import CardRequestTimeoutException
from .monitorthread import MonitorThread
from .Observer import Observable, Observer

_WAIT_S = 1


class CardObserver(Observer):
    def __init__(self):
        pass

    def update(self, observable, handlers):
        """handlers: (cards that came, cards that went), lists of Card."""


class _Cards(Observable):
    """What all CardMonitors share."""

    def __init__(self):
        Observable.__init__(self)
        self.rmthread = None

    def addObserver(self, observer):
        """Tells it at once which cards are known: none yet, to the first observer."""
        with self.mutex:
            Observable.addObserver(self, observer)
            if self.rmthread is None:
                self.rmthread = CardMonitoringThread(self)
                self.rmthread.start()
            cards = list(self.rmthread.cards)
        observer.update(self, (cards, []))

    def deleteObserver(self, observer):
        with self.mutex:
            Observable.deleteObserver(self, observer)
            if not self.obs:
                self._stop()

    def deleteObservers(self):
        with self.mutex:
            Observable.deleteObservers(self)
            self._stop()

    def _stop(self):
        if self.rmthread is not None:
            self.rmthread.stop()
            self.rmthread = None

    def __str__(self):
        return "CardMonitor"


class CardMonitor:
    """All objects of this class share their observers."""

    instance: "_Cards | None" = None

    def __init__(self):
        if CardMonitor.instance is None:
            CardMonitor.instance = _Cards()

    def __getattr__(self, name):
        return getattr(CardMonitor.instance, name)

    def __str__(self):
        return "CardMonitor"


class CardMonitoringThread(MonitorThread):
    def __init__(self, observable):
        MonitorThread.__init__(self, observable)
        self._request = None

    @property
    def cards(self):
        return self.known

    def look(self):
        if self._request is None:
            self._request = CardRequest(timeout=_WAIT_S)
        try:
            return self._request.waitforcardevent()
        except CardRequestTimeoutException:
            return None

    def end(self):
        if self._request is not None:
            self._request.pcsccardrequest.release()
            self._request = None
