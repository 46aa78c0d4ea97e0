"""Observers of a connection."""

from .Observer import Observer
from .util import toHexString

_STATES = {
    "connect": "connecting to ",
    "reconnect": "reconnecting to ",
    "disconnect": "disconnecting from ",
    "release": "release from ",
}


class CardConnectionObserver(Observer):
    def update(self, observable, handlers):
        """handlers: a CardConnectionEvent."""


class ConsoleCardConnectionObserver(CardConnectionObserver):
    """Prints each event.  A trace shows every byte, a PIN in a command included."""

    def update(self, observable, handlers):
        kind, args = handlers.type, handlers.args
        if kind in _STATES:
            print(_STATES[kind] + observable.getReader())
        elif kind == "command":
            print("> " + _command(args))
        elif kind == "response":
            print("< " + _response(args))
        elif kind == "attrib":
            print("attrib 0x%08X" % args[0])
        else:
            print("unknown event:", kind)


def _command(args):
    if isinstance(args[0], int):
        return "control 0x%08X %s" % (args[0], toHexString(args[1]))
    return toHexString(args[0])


def _response(args):
    if len(args) == 3 and isinstance(args[0], (list, tuple)):
        data, sw1, sw2 = args
        return "%s %2X %02X" % (toHexString(data) if data else " []", sw1, sw2)
    return toHexString(args) or " []"
