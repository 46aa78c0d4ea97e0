"""A user's own decorators, stacked on one connection."""

from smartcard.CardConnectionDecorator import CardConnectionDecorator
from smartcard.CardConnectionObserver import CardConnectionObserver
from smartcard.CardRequest import CardRequest
from smartcard.ExclusiveConnectCardConnection import ExclusiveConnectCardConnection
from smartcard.ExclusiveTransmitCardConnection import ExclusiveTransmitCardConnection
from smartcard.util import toHexString


class FakeATRConnection(CardConnectionDecorator):
    def getATR(self):
        return [0x3F] + CardConnectionDecorator.getATR(self)[1:]


class SecureChannelConnection(CardConnectionDecorator):
    def cypher(self, data):
        return [each ^ 0x00 for each in data]

    def transmit(self, bytes, protocol=None):
        print("cyphering", toHexString(bytes))
        data, sw1, sw2 = CardConnectionDecorator.transmit(self, self.cypher(bytes), protocol)
        return self.cypher(data), sw1, sw2


class Tracer(CardConnectionObserver):
    def update(self, cardconnection, event):
        print(type(cardconnection).__name__, event.type, event.args)


service = CardRequest(timeout=5).waitforcard()
service.connection = ExclusiveTransmitCardConnection(
    ExclusiveConnectCardConnection(SecureChannelConnection(FakeATRConnection(service.connection)))
)
tracer = Tracer()
service.connection.addObserver(tracer)
service.connection.connect()
service.connection.lock()
print(toHexString(service.connection.getATR()), service.connection.getReader())
print(service.connection.transmit([0xFF, 0xCA, 0, 0, 0]))
service.connection.unlock()
service.connection.reconnect()
service.connection.disconnect()
service.connection.deleteObserver(tracer)
try:
    service.connection.deleteObserver(tracer)
except ValueError as e:
    print(type(e), e)
service.connection.release()
