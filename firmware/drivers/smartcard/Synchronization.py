"""Methods that share one re-entrant lock, `mutex`."""

try:
    from _thread import RLock
except ImportError:
    from .rlock import RLock  # type: ignore[assignment]


class Synchronization:
    """mutex: any context manager; a subclass may put another there."""

    def __init__(self):
        self.mutex = RLock()


def synchronized(method):
    """The method, run while holding self.mutex."""

    def locked(self, *args, **kwargs):
        with self.mutex:
            return method(self, *args, **kwargs)

    for name in ("__name__", "__qualname__", "__module__", "__doc__"):
        try:
            setattr(locked, name, getattr(method, name))
        except AttributeError:  # MicroPython: a function has no such attributes
            break
    return locked


def synchronize(klass, names=None):
    """Make methods of that class synchronized: those of `names` (a list, or words in a str), or all
    but __init__."""
    if isinstance(names, str):
        names = names.split()
    for name, value in list(klass.__dict__.items()):
        if callable(value) and name != "__init__" and (names is None or name in names):
            setattr(klass, name, synchronized(value))
