# when take it: pull user
"""A card is pulled while its program talks to it."""

import time

from smartcard.Exceptions import CardConnectionException, NoCardException, SmartcardException
from smartcard.scard import SCARD_W_REMOVED_CARD, SCardStatus, SCARD_STATE_PRESENT
from smartcard.System import readers

connection = readers()[0].createConnection()
connection.connect()
print(connection.transmit([0xFF, 0xCA, 0, 0, 0]))
print("take it", flush=True)
try:
    while True:
        connection.transmit([0x00, 0x84, 0x00, 0x00, 0x08])
        time.sleep(0.1)
except CardConnectionException as e:
    print(type(e), len(e.args))
for action in (
    connection.getATR,
    lambda: connection.transmit([0, 0, 0, 0]),
    connection.reconnect,
    connection.getATR,
    lambda: connection.transmit([0, 0, 0, 0]),
    connection.reconnect,
    connection.connect,
    connection.disconnect,
    connection.release,
    connection.connect,
):
    try:
        print(action())
    except SmartcardException as e:
        print(type(e).__name__, "|", e, "|", e.args, "|", e.hresult)
