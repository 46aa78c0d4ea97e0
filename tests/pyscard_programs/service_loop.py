# when take it: pull user
# when put it: plug user
"""A kiosk's loop: poll with connect(), tell insertion and removal by exceptions."""

import time

from smartcard.Exceptions import CardConnectionException, NoCardException
from smartcard.System import readers

reader = readers()[0]
connection = reader.createConnection()
present = None
events = []
ends = time.time() + 45
while len(events) < 3 and time.time() < ends:
    try:
        connection.connect()
        now = present
        if present is None:
            data, sw1, sw2 = connection.transmit([0xFF, 0xCA, 0x00, 0x00, 0x00])
            now = bytes(data).hex()
        connection.disconnect()
    except (NoCardException, CardConnectionException):
        now = None
    if now != present:
        events.append(now)
        print("card" if now else "gone", now, flush=True)
        print("take it" if now else "put it", flush=True) if len(events) < 3 else None
    present = now
    time.sleep(0.1)
