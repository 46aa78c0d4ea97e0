import sys

import smartcard
from smartcard.CardConnectionObserver import ConsoleCardConnectionObserver
from smartcard.CardRequest import CardRequest
from smartcard.CardType import AnyCardType
from smartcard.Exceptions import CardRequestTimeoutException
from smartcard.util import PACK, toASCIIBytes, toASCIIString, toBytes, toHexString

try:
    cardservice = CardRequest(timeout=5, cardType=AnyCardType()).waitforcard()
except CardRequestTimeoutException:
    sys.exit("no card")
card = cardservice.connection
card.addObserver(ConsoleCardConnectionObserver())
card.connect(smartcard.CardConnection.CardConnection.T0_protocol)
print(toHexString(card.getATR()), toHexString(card.getATR(), PACK))


def send(apdu):
    data, sw1, sw2 = card.transmit(apdu)
    if sw1 == 0x61:
        data, sw1, sw2 = card.transmit([0x00, 0xC0, 0x00, 0x00, sw2])
    elif sw1 == 0x6C:
        data, sw1, sw2 = card.transmit(apdu[:4] + [sw2])
    return data, sw1, sw2


print(send([0x00, 0xA4, 0x04, 0x00, 14] + toASCIIBytes("1PAY.SYS.DDF01")))
print(send(toBytes("00A4040007A0000000031010")))
data, sw1, sw2 = send([0x00, 0xB2, 0x01, 0x0C, 0x00])
print(toASCIIString(data), sw1, sw2)
print(send(toBytes("80 CA 9F 7F 00")))
card.disconnect()
card.connect()
card.reconnect()
print(card.getAttrib(0x00090303) if len(sys.argv) > 5 else card.getReader())
cardservice.connection.release()
card.transmit([0, 0, 0, 0])
