"""Two connections to one card; one locks it."""

import threading
import time

from smartcard.ExclusiveTransmitCardConnection import ExclusiveTransmitCardConnection
from smartcard.scard import *
from smartcard.System import readers

first = ExclusiveTransmitCardConnection(readers()[0].createConnection())
second = readers()[0].createConnection()
first.connect()
second.connect()
log = []


def work():
    second.transmit([0, 0x84, 0, 0, 8])
    log.append("second")


first.lock()
thread = threading.Thread(target=work)
thread.start()
time.sleep(0.3)
log.append("first")
print(first.transmit([0xFF, 0xCA, 0, 0, 0]))
first.unlock()
thread.join()
print(log)
try:
    first.unlock()
except Exception as e:
    print(type(e).__mro__, "|", e.args)
hcard = second.component.hcard
print(SCardBeginTransaction(hcard), SCardTransmit(hcard, SCARD_PCI_T0, [0, 0x84, 0, 0, 8]))
print(SCardEndTransaction(hcard, SCARD_LEAVE_CARD), SCardEndTransaction(hcard, SCARD_LEAVE_CARD))
print(SCardStatus(hcard)[1:2], SCardStatus(hcard)[3:])
print(SCardReconnect(hcard, SCARD_SHARE_SHARED, SCARD_PROTOCOL_ANY, SCARD_RESET_CARD))
print(SCardStatus(first.component.hcard)[0])
first.transmit([0, 0, 0, 0])
