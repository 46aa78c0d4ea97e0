import smartcard.System
import smartcard.Session
from smartcard.util import toBytes, toHexString


class Handler:
    def __init__(self, index):
        readers = smartcard.System.listReaders()
        self.session = smartcard.Session(readers[index])

    def send(self, apdu):
        return self.session.sendCommandAPDU(toBytes(apdu))


handler = Handler(0)
print(handler.session, handler.session.readerName, repr(handler.session))
print(handler.session.getATR(), toHexString(handler.session.getATR()))
print(handler.send("FF CA 00 00 00"))
print(handler.send("A0A40000027F10"))
handler.session.close()
from smartcard import Session, listReaders

print(listReaders(), Session("SSC Terminal PSAM 00 00").getATR())
Session("no such reader")
