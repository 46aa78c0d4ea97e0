# when take it: pull user
"""A card is pulled while its program talks to it."""

import time

from smartcard.Exceptions import NoCardException, SmartcardException
from smartcard.scard import SCARD_LEAVE_CARD
from smartcard.System import readers

connection = readers()[0].createConnection()
connection.connect()
print(connection.transmit([0xFF, 0xCA, 0, 0, 0]))
print("take it", flush=True)
try:
    for _ in range(200):
        other = readers()[0].createConnection()
        other.connect()
        other.component.disposition = SCARD_LEAVE_CARD
        other.release()
        time.sleep(0.05)
except NoCardException as e:
    print(type(e), e, e.hresult)
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
