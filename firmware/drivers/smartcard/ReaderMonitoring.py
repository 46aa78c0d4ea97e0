"""Telling observers which readers come and go.

A thread lists the readers once in `period` seconds as long as there is an observer, and no longer.
"""

from . import System
from .monitorthread import MonitorThread
from .Observer import Observable, Observer


class ReaderObserver(Observer):
    def __init__(self):
        pass

    def update(self, observable, handlers):
        """handlers: (readers that came, readers that went), two lists."""


class ReaderMonitor(Observable):
    """All objects of this class share their observers and their thread; the last one made says what
    lists the readers, and how often.

    startOnDemand=False: the thread runs from the beginning, until stop().
    """

    _shared: "list[ReaderMonitor]" = []  # the first one made
    _threads: "list[ReaderMonitoringThread]" = []  # the one that runs

    def __init__(self, startOnDemand=True, readerProc=None, period=1):
        Observable.__init__(self)
        if ReaderMonitor._shared:
            self.mutex = ReaderMonitor._shared[0].mutex
            self.obs = ReaderMonitor._shared[0].obs
        else:
            ReaderMonitor._shared.append(self)
        self.startOnDemand = startOnDemand
        self.readerProc = System.readers if readerProc is None else readerProc
        self.period = period
        with self.mutex:
            for thread in ReaderMonitor._threads:
                thread.readerProc = self.readerProc
                thread.period = period
            if not startOnDemand:
                self._start()

    @property
    def rmthread(self):
        return ReaderMonitor._threads[0] if ReaderMonitor._threads else None

    def addObserver(self, observer):
        """Tells it at once which readers are known, if any."""
        with self.mutex:
            Observable.addObserver(self, observer)
            self._start()
            readers = list(self.rmthread.readers)
        if readers or not self.startOnDemand:
            observer.update(self, (readers, []))

    def deleteObserver(self, observer):
        with self.mutex:
            Observable.deleteObserver(self, observer)
            if self.startOnDemand and not self.obs:
                self.stop()

    def deleteObservers(self):
        with self.mutex:
            self.obs.clear()
            if self.startOnDemand:
                self.stop()

    def stop(self):
        """End the thread; the next addObserver() starts one."""
        with self.mutex:
            while ReaderMonitor._threads:
                ReaderMonitor._threads.pop().stop()

    def _start(self):
        if not ReaderMonitor._threads:
            thread = ReaderMonitoringThread(self, self.readerProc, self.period)
            ReaderMonitor._threads.append(thread)
            thread.start()

    def __str__(self):
        return self.__class__.__name__


class ReaderMonitoringThread(MonitorThread):
    def __init__(self, observable, readerProc, period):
        MonitorThread.__init__(self, observable)
        self.readerProc = readerProc
        self.period = period
        self._is_first = True

    @property
    def readers(self):
        return self.known

    def look(self):
        if not self._is_first:
            self.pause_ms(int(self.period * 1000))
        self._is_first = False
        return list(self.readerProc())
