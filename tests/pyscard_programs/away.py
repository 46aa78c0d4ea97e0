# when stop it: stop
"""What a program sees while pcscd does not run."""

import os
import time

import smartcard.System
from smartcard.CardRequest import CardRequest
from smartcard.Exceptions import CardConnectionException, SmartcardException
from smartcard.pcsc.PCSCExceptions import BaseSCardException, EstablishContextException
from smartcard.scard import *

print("stop it", flush=True)
socket = os.environ["PCSCLITE_CSOCK_NAME"]
while os.path.exists(socket):
    time.sleep(0.02)
time.sleep(0.2)


def show(function):
    try:
        print(function())
    except Exception as e:
        print(type(e).__mro__, "|", e, "|", e.args, "|", getattr(e, "hresult", None), isinstance(e, SmartcardException))


show(smartcard.System.readers)
show(lambda: smartcard.System.readergroups())
show(lambda: smartcard.pcsc.PCSCReader.PCSCReader("x").createConnection())
show(lambda: CardRequest(timeout=1))
show(lambda: smartcard.Session("x"))
show(lambda: SCardEstablishContext(SCARD_SCOPE_SYSTEM)[0])
show(lambda: SCardGetErrorMessage(SCARD_E_NO_SERVICE))
show(lambda: SCardListReaders(12345, []))
try:
    smartcard.System.readers()
except EstablishContextException as e:
    print("is the pcscd service running?", e.message, e.hresult == SCARD_E_NO_SERVICE)
smartcard.System.readers()
