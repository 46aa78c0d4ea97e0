"""Objects that tell others what happened to them."""

from .Synchronization import Synchronization, synchronized


class Observer:
    def update(self, observable, handlers):
        """Called on each event; handlers: what happened, as the observable's class describes it."""


class Observable(Synchronization):
    """obs: the observers, each once."""

    def __init__(self):
        Synchronization.__init__(self)
        self.obs = []
        self.changed = 0

    @synchronized
    def addObserver(self, observer):
        if observer not in self.obs:
            self.obs.append(observer)

    @synchronized
    def deleteObserver(self, observer):
        """ValueError for one that is not there."""
        self.obs.remove(observer)

    def notifyObservers(self, handlers=None):
        """Tell all observers, when setChanged() was called since the last time.  They are called
        without the lock: they may add and delete observers."""
        with self.mutex:
            if not self.changed:
                return
            self.changed = 0
            observers = list(self.obs)
        for observer in observers:
            observer.update(self, handlers)

    @synchronized
    def deleteObservers(self):
        self.obs = []

    @synchronized
    def setChanged(self):
        self.changed = 1

    @synchronized
    def clearChanged(self):
        self.changed = 0

    @synchronized
    def hasChanged(self):
        return self.changed

    @synchronized
    def countObservers(self):
        return len(self.obs)
