"""What this process' `smartcard` gets from a reader's driver: attributes and control commands.

usage: [micro]python attributes.py ROOT install|pyscard READER

The same script runs over the shim, on either interpreter, and over pyscard; the answers, one line
of JSON, are compared.  It says "pull" when the card is to leave the reader, "plug" when it is to
come back.
"""

import json
import sys

_CARD_S = 10


def named(scard, prefix):
    return sorted([each for each in dir(scard) if each.startswith(prefix)])


def low_level(scard, context, reader):
    """The functions of scard, before and after the card left."""
    told = {}
    connect = scard.SCardConnect
    _, card, _ = connect(context, reader, scard.SCARD_SHARE_SHARED, scard.SCARD_PROTOCOL_T0)
    for name in named(scard, "SCARD_ATTR_"):
        told[name] = scard.SCardGetAttrib(card, getattr(scard, name))
    ask(told, scard, card, "")
    ask(told, scard, card + 1, "wrong handle: ")
    print("pull")
    wait(scard, context, reader, scard.SCARD_STATE_EMPTY)
    ask(told, scard, card, "removed: ")
    scard.SCardDisconnect(card, scard.SCARD_LEAVE_CARD)
    _, card, _ = connect(context, reader, scard.SCARD_SHARE_DIRECT, scard.SCARD_PROTOCOL_T0)
    ask(told, scard, card, "no card: ")
    scard.SCardDisconnect(card, scard.SCARD_LEAVE_CARD)
    ask(told, scard, card, "disconnected: ")
    return told


def ask(told, scard, card, prefix):
    """Each function, with success where the driver allows it."""
    get, control = scard.SCardGetAttrib, scard.SCardControl
    for name in ("ATR_STRING", "ICC_PRESENCE", "VENDOR_NAME", "MAXINPUT"):
        told[prefix + name] = get(card, getattr(scard, "SCARD_ATTR_" + name))
    told[prefix + "unknown attribute"] = get(card, 0x00123456)
    told[prefix + "set"] = scard.SCardSetAttrib(card, scard.SCARD_ATTR_ATR_STRING, [0x3B, 0x00])
    told[prefix + "set unknown"] = scard.SCardSetAttrib(card, 0x00123456, [1])
    told[prefix + "set nothing"] = scard.SCardSetAttrib(card, scard.SCARD_ATTR_MAXINPUT, [])
    told[prefix + "features"] = control(card, scard.SCARD_CTL_CODE(3400), [])
    told[prefix + "properties"] = control(card, 0x42330012, [])
    told[prefix + "escape"] = control(card, scard.SCARD_CTL_CODE(1), [0x02])
    told[prefix + "long escape"] = control(card, scard.SCARD_CTL_CODE(1), [0x02] * 200)
    told[prefix + "too long for the reader"] = control(card, scard.SCARD_CTL_CODE(1), [2] * 65548)
    told[prefix + "too long control"] = control(card, scard.SCARD_CTL_CODE(1), [2] * 65549)
    told[prefix + "set long"] = scard.SCardSetAttrib(card, scard.SCARD_ATTR_ATR_STRING, [1] * 264)
    told[prefix + "set too long"] = scard.SCardSetAttrib(card, scard.SCARD_ATTR_MAXINPUT, [1] * 265)
    told[prefix + "unknown control"] = control(card, scard.SCARD_CTL_CODE(1234), [1, 2, 3])


def high_level(scard, connection):
    """A connection's getAttrib() and control(), and PCSCPart10 on them."""
    from smartcard.CardConnectionDecorator import CardConnectionDecorator
    from smartcard.pcsc import PCSCPart10 as part10

    heard = Heard()
    connection.addObserver(heard)
    decorated = CardConnectionDecorator(connection)
    features = part10.getFeatureRequest(connection)
    told = {
        "getAttrib": connection.getAttrib(scard.SCARD_ATTR_ATR_STRING),
        "decorated getAttrib": decorated.getAttrib(scard.SCARD_ATTR_ICC_PRESENCE),
        "decorated control": decorated.control(scard.SCARD_CTL_CODE(3400), []),
        "control": connection.control(scard.SCARD_CTL_CODE(1), [0x02]),
        "control of nothing": connection.control(scard.SCARD_CTL_CODE(3400)),
        "getFeatureRequest": features,
        "hasFeature": part10.hasFeature(features, part10.FEATURE_GET_TLV_PROPERTIES),
        "has not": part10.hasFeature(features, part10.FEATURE_VERIFY_PIN_DIRECT),
        "getTlvProperties": part10.getTlvProperties(connection),
        "with list": part10.getTlvProperties(connection, features),
        "getPinProperties": part10.getPinProperties(connection),
        "of a code": part10.getPinProperties(connection, controlCode=0x4233000A),
    }
    told["getAttrib refused"] = raised(lambda: connection.getAttrib(0x00123456))
    told["control refused"] = raised(lambda: connection.control(scard.SCARD_CTL_CODE(1234), [1]))
    bounded = bound(connection)
    told["bounded getAttrib"] = bounded.getAttrib(scard.SCARD_ATTR_MAXINPUT)
    told["bounded control"] = bounded.control(scard.SCARD_CTL_CODE(1), [0x02])
    told["bounded refused"] = raised(lambda: bounded.getAttrib(0x00123456))
    told["observed"] = heard.events
    return told


def bound(connection):
    """With a deadline, which pyscard has not."""
    try:
        from smartcard.DeadlineCardConnection import DeadlineCardConnection
    except ImportError:
        return connection
    return DeadlineCardConnection(connection, 5)


class Heard:
    """An observer: the events of a connection."""

    def __init__(self):
        self.events = []

    def update(self, connection, event):
        # As it is now: pyscard's parser of features empties the list it is given.
        self.events.append(json.loads(json.dumps([event.type, event.args])))


def raised(function):
    """[the exception's class, its code]."""
    try:
        return function()
    except Exception as error:
        return [type(error).__name__, error.hresult & 0xFFFFFFFF]


def wait(scard, context, reader, bit):
    """Until pcscd sees the card so."""
    state = scard.SCARD_STATE_UNAWARE
    for _ in range(_CARD_S * 5):
        _, [(_, state, _)] = scard.SCardGetStatusChange(context, 200, [(reader, state)])
        if state & bit:
            return
    raise RuntimeError("pcscd does not see the card as it is")


def main(root, package, reader):
    if package == "install":
        sys.path.insert(0, root)
        from firmware.drivers.smartcard import install

        install()
    from smartcard import scard
    from smartcard.System import readers

    _, context = scard.SCardEstablishContext(scard.SCARD_SCOPE_USER)
    wait(scard, context, reader, scard.SCARD_STATE_PRESENT)
    connection = next(each for each in readers() if str(each) == reader).createConnection()
    connection.connect()
    told = high_level(scard, connection)
    connection.release()
    told.update(low_level(scard, context, reader))
    print("plug")
    wait(scard, context, reader, scard.SCARD_STATE_PRESENT)
    scard.SCardReleaseContext(context)
    print(json.dumps(told))


main(*sys.argv[1:])
