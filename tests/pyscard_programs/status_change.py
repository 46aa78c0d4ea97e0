# cards: psam
# when insert it: plug user
from smartcard.scard import *
from smartcard.util import toHexString

NAMES = {
    SCARD_STATE_UNAWARE: "unaware",
    SCARD_STATE_IGNORE: "ignore",
    SCARD_STATE_EMPTY: "empty",
    SCARD_STATE_PRESENT: "present",
    SCARD_STATE_CHANGED: "changed",
    SCARD_STATE_INUSE: "in use",
    SCARD_STATE_UNPOWERED: "unpowered",
}


def show(states):
    for reader, eventstate, atr in states:
        bits = [name for bit, name in NAMES.items() if eventstate & bit]
        print(reader, toHexString(atr), bits[:2] if "present" in bits else bits)


hresult, hcontext = SCardEstablishContext(SCARD_SCOPE_USER)
hresult, readers = SCardListReaders(hcontext, [])
states = [(each, SCARD_STATE_UNAWARE) for each in readers]
hresult, states = SCardGetStatusChange(hcontext, 0, states)
print(hresult)
show(states)
hresult, again = SCardGetStatusChange(hcontext, 100, states)
print(hex(hresult), SCardGetErrorMessage(hresult), len(again))
print("insert it", flush=True)
hresult, states = SCardGetStatusChange(hcontext, 8000, states)
print(hresult)
show(states)
print(SCardGetStatusChange(hcontext, 0, [])[0])
print(SCardGetStatusChange(hcontext, 10, [("no such reader", 0)]))
print(SCardGetStatusChange(hcontext, 50, [("\\\\?PnP?\\Notification", 0)])[0])
print(SCardReleaseContext(hcontext))
print(SCardListReaders(hcontext, [])), print(SCardListReaderGroups(hcontext))
print(SCardConnect(hcontext, readers[0], SCARD_SHARE_SHARED, SCARD_PROTOCOL_ANY)[0])
print(SCardGetStatusChange(hcontext, 0, [(readers[0], 0)]))
