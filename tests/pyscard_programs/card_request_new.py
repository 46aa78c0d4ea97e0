# cards: user psam
# when pull it: pull user
# when insert it: plug user
from smartcard.CardRequest import CardRequest
from smartcard.CardService import CardService

request = CardRequest(timeout=15, newcardonly=True)
print(request.waitforcardevent())
print("pull it", flush=True)
print(request.waitforcardevent())
print("insert it", flush=True)


class MyService(CardService):
    @staticmethod
    def supports(cardname):
        print("supports", cardname)
        return True

    def uid(self):
        self.connection.connect()
        return bytes(self.connection.transmit([0xFF, 0xCA, 0, 0, 0])[0]).hex()


with CardRequest(timeout=15, newcardonly=True, cardServiceClass=MyService) as waiting:
    with waiting.waitforcard() as service:
        print(service.uid(), service.cardname, waiting.getReaders(), isinstance(service, MyService))
    service.connection.connect()
