# cards: psam
import threading
import time

from smartcard.scard import *

hresult, hcontext = SCardEstablishContext(SCARD_SCOPE_SYSTEM)
hresult, readers = SCardListReaders(hcontext, [])
hresult, states = SCardGetStatusChange(hcontext, 0, [(r, SCARD_STATE_UNAWARE) for r in readers])
threading.Timer(0.3, lambda: SCardCancel(hcontext)).start()
began = time.monotonic()
hresult, states = SCardGetStatusChange(hcontext, INFINITE, states)
print(hresult == SCARD_E_CANCELLED, hex(hresult), SCardGetErrorMessage(hresult))
print(0.2 < time.monotonic() - began < 2)
print(SCardCancel(hcontext), SCardReleaseContext(hcontext), SCardCancel(hcontext))
