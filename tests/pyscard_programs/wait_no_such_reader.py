# cards: psam
from smartcard.CardMonitoring import CardMonitor, CardObserver
from smartcard.CardRequest import CardRequest
from smartcard.Exceptions import CardRequestTimeoutException
from smartcard.System import readers

for reader in readers():
    try:
        service = CardRequest(readers=[reader], timeout=0.2).waitforcard()
        service.connection.connect()
        print("card in", reader, service.connection.getATR()[:2])
        service.connection.release()
    except CardRequestTimeoutException as e:
        print("no card in", reader, e)
request = CardRequest(timeout=0.3)
print(request.waitforcardevent())
try:
    print(request.waitforcardevent())
except CardRequestTimeoutException as e:
    print(e, hex(e.hresult))
print(request.getReaders(), CardRequest(readers=["x"]).getReaders())
print(issubclass(CardMonitor, object), CardObserver().update(None, ([], [])))
