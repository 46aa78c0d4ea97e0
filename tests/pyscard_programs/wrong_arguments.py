"""What a beginner passes by mistake, and which exception he gets."""

from smartcard.ATR import ATR
from smartcard.scard import *
from smartcard.System import readers
from smartcard.util import toBytes, toHexString

hresult, hcontext = SCardEstablishContext(SCARD_SCOPE_USER)
reader = readers()[0]


def show(*names_and_function):
    name, function = names_and_function
    try:
        print(name, function())
    except Exception as e:
        print(name, type(e).__mro__[:-2])


show("reader object", lambda: SCardConnect(hcontext, reader, 2, 3))
show("unknown reader", lambda: SCardConnect(hcontext, "nothing", 2, 3)[0])
show("no list", lambda: SCardListReaders(hcontext, None))
show("a text", lambda: SCardListReaders(hcontext, "SCard$DefaultReaders"))
show("no context", lambda: SCardListReaders(None, []))
show("no number", lambda: SCardEstablishContext("user"))
show("no states", lambda: SCardGetStatusChange(hcontext, 0, None))
show("state objects", lambda: SCardGetStatusChange(hcontext, 0, [(reader, 0)]))
show("half a state", lambda: SCardGetStatusChange(hcontext, 0, [("a",)]))
connection = reader.createConnection()
connection.connect()
show("a text", lambda: connection.transmit("00A4000000"))
show("a tuple", lambda: connection.transmit((0, 0, 0, 0)))
show("texts", lambda: connection.transmit(["00", "A4", "00", "00"]))
show("a float", lambda: connection.transmit([0, 0.5, 0, 0]))
show("nothing", lambda: connection.transmit(None))
show("nested", lambda: connection.transmit([0, 0x84, 0, 0, [8]]))
show("too short", lambda: connection.transmit([0, 0xF4, 0, 0]))
show("hex", lambda: toBytes("0G"))
show("hex", lambda: toBytes("123"))
show("hex", lambda: toBytes([1, 2]))
show("hex", lambda: toHexString("3B"))
show("hex", lambda: toHexString((1, 2)))
show("hex", lambda: toHexString(5))
show("ATR", lambda: ATR([0x3B]))
show("ATR", lambda: ATR([0x00, 0x00, 0x00]))
show("mode", lambda: connection.connect(mode="shared"))
show("protocol", lambda: connection.connect(protocol="T=1"))
show("protocol", lambda: connection.transmit([0, 0x84, 0, 0, 8], protocol="T=1"))
show("attribute", lambda: readers()["x"])
show("too many", lambda: SCardReleaseContext(hcontext, 1))
show("message", lambda: SCardGetErrorMessage("x"))
