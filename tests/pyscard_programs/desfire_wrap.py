"""Wrapped native commands and MIFARE classic over PC/SC part 3, retried and checked by hand."""

from smartcard.CardRequest import CardRequest
from smartcard.CardType import AnyCardType
from smartcard.Exceptions import CardConnectionException
from smartcard.PassThruCardService import PassThruCardService
from smartcard.util import toBytes, toHexString

LOAD_KEY = toBytes("FF 82 00 00 06 FF FF FF FF FF FF")
AUTH = [0xFF, 0x86, 0x00, 0x00, 0x05, 0x01, 0x00, 0x04, 0x60, 0x00]
request = CardRequest(timeout=None, cardType=AnyCardType(), cardServiceClass=PassThruCardService)
service = request.waitforcard()
service.connection.connect()
print(service.__class__.__name__, service.connection.getReader(), service.cardname)


def send(apdu):
    response, sw1, sw2 = service.connection.transmit(apdu)
    print("> %s" % toHexString(apdu))
    print("< %s %02X %02X" % (toHexString(response), sw1, sw2))
    return response, (sw1 << 8) + sw2


send(LOAD_KEY)
send(AUTH)
for block in range(4, 6):
    response, sw = send([0xFF, 0xB0, 0x00, block, 0x10])
    if sw != 0x9000:
        print("block", block, "failed", hex(sw))
for _ in range(2):
    try:
        service.connection.transmit([0x00, 0xF4, 0, 0])
    except CardConnectionException as e:
        print("retry", e, e.hresult, e.args)
send(list(b"\x90\x5a\x00\x00\x03" + bytes.fromhex("AABBCC") + b"\x00"))
send(bytearray(b"\x00\x84\x00\x00\x08").__iter__().__class__ and [0, 0x84, 0, 0, 8])
service.connection.disconnect()
service.connection.disconnect()
service.connection.transmit([0, 0x84, 0, 0, 8])
