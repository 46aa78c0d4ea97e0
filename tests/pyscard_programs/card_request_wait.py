# cards: psam
# when insert it: plug user
"""Waits with types and time-outs, as tutorials have them."""

import time

from smartcard.CardRequest import CardRequest
from smartcard.CardType import AnyCardType, ATRCardType, CardType
from smartcard.Exceptions import CardRequestTimeoutException, InvalidATRMaskLengthException
from smartcard.System import readers
from smartcard.util import toBytes, toHexString

SIM = toBytes("3B 68 00 00 00 73 C8 40 12 00 90 00")
MASK = toBytes("FF FF 00 00 00 FF FF 00 00 00 FF FF")


def wait(**how):
    began = time.time()
    try:
        service = CardRequest(**how).waitforcard()
        service.connection.connect()
        print(service.connection.getReader(), toHexString(service.connection.getATR()))
        service.connection.disconnect()
        service.connection.release()
    except CardRequestTimeoutException as e:
        print(type(e).__name__, e, e.args, hex(e.hresult), time.time() - began < 30)


wait(timeout=0.15, cardType=ATRCardType(SIM))
wait(timeout=0.15, cardType=ATRCardType(SIM, MASK))
wait(timeout=0, newcardonly=True)
wait(timeout=0)
wait(readers=[readers()[0]], timeout=0.2)
wait(readers=["SSC Terminal PSAM 00 00"], timeout=0.2)


class DCCardType(CardType):
    def matches(self, atr, reader=None):
        print("asked", toHexString(atr)[:11], reader)
        return atr[0] == 0x3F


wait(timeout=0.15, cardType=DCCardType())
print("insert it", flush=True)
wait(timeout=15, cardType=ATRCardType(toBytes("3B 68 01 02 03 73 C8 41 13 01 90 00"), MASK))
try:
    ATRCardType(SIM, MASK[1:])
except InvalidATRMaskLengthException as e:
    print(type(e).__mro__, e, e.args, e.hresult)
wait(timeout=0.15, cardType=AnyCardType(), newcardonly=True)
CardRequest(timeout=0.1, cardType=DCCardType()).waitforcard()
