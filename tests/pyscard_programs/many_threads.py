import threading

from smartcard.scard import *
from smartcard.System import readers

answers = []


def stress(number):
    for _ in range(5):
        hresult, hcontext = SCardEstablishContext(SCARD_SCOPE_USER)
        if hresult != SCARD_S_SUCCESS:
            answers.append(SCardGetErrorMessage(hresult))
            continue
        answers.append(len(SCardListReaders(hcontext, [])[1]))
        connection = readers()[0].createConnection()
        connection.connect()
        answers.append(connection.transmit([0, 0x84, 0, 0, 8])[1])
        connection.component.disposition = SCARD_LEAVE_CARD
        connection.release()
        answers.append(SCardReleaseContext(hcontext))


threads = [threading.Thread(target=stress, args=(n,)) for n in range(6)]
for each in threads:
    each.start()
for each in threads:
    each.join()
print(sorted(set(answers)), len(answers), threading.active_count())
contexts = [SCardEstablishContext(SCARD_SCOPE_USER) for _ in range(20)]
print({each[0] for each in contexts}, len({each[1] for each in contexts}))
print({SCardIsValidContext(each[1]) for each in contexts})
print({SCardReleaseContext(each[1]) for each in contexts})
print({SCardIsValidContext(each[1]) for each in contexts})
