"""Every `with` there is, an exception inside, and what is left after."""

from smartcard.CardRequest import CardRequest
from smartcard.Exceptions import SmartcardException
from smartcard.System import readers

for reader in (readers()[0], readers()[2]):
    try:
        with reader.createConnection() as connection:
            connection.connect()
            print(connection.transmit([0xFF, 0xCA, 0, 0, 0]))
            raise KeyError("inside")
    except KeyError as e:
        print("out", e)
    for again in (connection.connect, connection.getATR, connection.disconnect):
        try:
            print(again())
        except SmartcardException as e:
            print(type(e).__name__, e, e.hresult)
with CardRequest(timeout=1) as request:
    with request.waitforcard() as service:
        service.connection.connect()
        print(service.connection.getATR())
print(request.pcsccardrequest.hcontext)
with readers()[1].createConnection() as nothing:
    print(nothing.getReader())
    nothing.connect()
