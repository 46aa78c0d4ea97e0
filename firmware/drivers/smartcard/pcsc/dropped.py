"""Not pyscard's: what closes an object that a program dropped without release().

CPython alone tells when an object is gone.  On MicroPython a dropped connection keeps its card
until the process ends: use `with`, or call release().
"""

from .. import scard

_watched: "dict[int, object]" = {}  # CPython's weak references, while their objects live


class Held:
    """What one object holds of PC/SC; close() gives it back, once."""

    def __init__(self, hcontext):
        self.hcontext = hcontext
        self.hcard = None
        self.disposition = scard.SCARD_UNPOWER_CARD

    def close(self):
        hcard, hcontext = self.hcard, self.hcontext
        self.hcard = self.hcontext = None
        if hcard is not None:
            scard.SCardDisconnect(hcard, self.disposition)
        if hcontext is not None:
            scard.SCardReleaseContext(hcontext)

    def let_go(self):
        """close(), without disturbing the others who share the card."""
        self.disposition = scard.SCARD_LEAVE_CARD
        self.close()


def close_with(owner, held):
    """Close `held`, to which `owner` alone refers, when owner is gone."""
    try:
        from _weakref import ref
    except ImportError:
        return
    key = id(held)

    def close(_):
        _watched.pop(key, None)
        held.close()

    _watched[key] = ref(owner, close)


def leave(held):
    """It is no longer to be closed with its owner: a call still runs on it."""
    _watched.pop(id(held), None)
