from smartcard.CardConnectionObserver import ConsoleCardConnectionObserver
from smartcard.CardRequest import CardRequest
from smartcard.CardType import AnyCardType
from smartcard.sw.ErrorChecker import ErrorChecker
from smartcard.sw.ErrorCheckingChain import ErrorCheckingChain
from smartcard.sw.ISO7816_4ErrorChecker import ISO7816_4ErrorChecker
from smartcard.sw.ISO7816_8ErrorChecker import ISO7816_8ErrorChecker
from smartcard.sw.ISO7816_9ErrorChecker import ISO7816_9ErrorChecker
from smartcard.sw.SWExceptions import (
    CheckingErrorException,
    SWException,
    WarningProcessingException,
)


class MyChecker(ErrorChecker):
    def __call__(self, data, sw1, sw2):
        if sw1 == 0x9F:
            raise WarningProcessingException(data, sw1, sw2, "get response!")


chain = []
chain = [
    ErrorCheckingChain(chain, ISO7816_9ErrorChecker()),
    ErrorCheckingChain(chain, ISO7816_8ErrorChecker()),
    ErrorCheckingChain(chain, ISO7816_4ErrorChecker()),
    ErrorCheckingChain(chain, MyChecker()),
]
cardservice = CardRequest(timeout=10, cardType=AnyCardType()).waitforcard()
cardservice.connection.addObserver(ConsoleCardConnectionObserver())
cardservice.connection.connect()
cardservice.connection.setErrorCheckingChain(chain)
for apdu in (
    [0x00, 0xF1, 0, 0],
    [0x00, 0xF2, 0, 0],
    [0x00, 0xF3, 0, 0],
    [0x00, 0x20, 0x00, 0x01],
    [0xA0, 0xA4, 0x00, 0x00, 0x02, 0x7F, 0x10],
    [0x00, 0x84, 0, 0, 8],
):
    try:
        print(cardservice.connection.transmit(apdu))
    except SWException as e:
        print(type(e).__mro__, str(e), repr(e), e.args, e.data, hex(e.sw1), hex(e.sw2), e.message)
cardservice.connection.addSWExceptionToFilter(WarningProcessingException)
print(cardservice.connection.transmit([0x00, 0xF2, 0, 0]))
try:
    cardservice.connection.transmit([0x00, 0xF1, 0, 0])
except CheckingErrorException as e:
    print(e)
import pickle

try:
    cardservice.connection.transmit([0x00, 0xF3, 0, 0])
except SWException as e:
    print(repr(pickle.loads(pickle.dumps(e))), e)
cardservice.connection.release()
raise SWException([1], 2, 3)
