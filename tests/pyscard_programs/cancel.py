# cards: psam
import threading
import time

from smartcard.scard import *

hresult, hcontext = SCardEstablishContext(SCARD_SCOPE_SYSTEM)
hresult, readers = SCardListReaders(hcontext, [])
hresult, states = SCardGetStatusChange(hcontext, 0, [(r, SCARD_STATE_UNAWARE) for r in readers])


def cancel():
    while not is_over.wait(0.3):  # again: the first may come before the wait
        SCardCancel(hcontext)


is_over = threading.Event()
began = time.monotonic()
canceller = threading.Thread(target=cancel)
canceller.start()
hresult, states = SCardGetStatusChange(hcontext, INFINITE, states)
is_over.set()
canceller.join()
print(hresult == SCARD_E_CANCELLED, hex(hresult), SCardGetErrorMessage(hresult))
print(0.2 < time.monotonic() - began < 30)
print(SCardCancel(hcontext), SCardReleaseContext(hcontext), SCardCancel(hcontext))
