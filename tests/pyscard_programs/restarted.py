# when stop it: stop
# when start it: start
"""A long-running program over a restart of pcscd: its old context, and new ones."""

import os
import time

from smartcard.Exceptions import SmartcardException
from smartcard.scard import *
from smartcard.System import readers

socket = os.environ["PCSCLITE_CSOCK_NAME"]
connection = readers()[0].createConnection()
connection.connect()
hresult, hcontext = SCardEstablishContext(SCARD_SCOPE_USER)
print("stop it", flush=True)
while os.path.exists(socket):
    time.sleep(0.02)
time.sleep(0.2)
for what in (connection.getATR, lambda: connection.transmit([0, 0, 0, 0]), readers):
    try:
        print(what())
    except Exception as e:
        print(type(e).__name__, isinstance(e, SmartcardException))
print(SCardListReaders(hcontext, [])[0] == SCARD_S_SUCCESS)
print("start it", flush=True)
for _ in range(1500):
    try:
        if len(readers()) == 4:
            break
    except Exception:
        pass
    time.sleep(0.02)
print(readers())
fresh = readers()[1].createConnection()
try:
    fresh.connect()
except SmartcardException as e:
    print(type(e).__name__, e)
