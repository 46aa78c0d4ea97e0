# cards: psam
"""A daemon's handler of SIGTERM raises while it waits for a card."""

import os
import signal

from smartcard.CardRequest import CardRequest


class Stop(Exception):
    pass


def handler(number, frame):
    raise Stop


signal.signal(signal.SIGALRM, handler)
request = CardRequest(timeout=15, newcardonly=True)
try:
    signal.setitimer(signal.ITIMER_REAL, 0.3)
    request.waitforcard()
except Stop:
    print("stopped", flush=True)
