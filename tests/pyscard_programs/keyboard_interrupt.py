# cards: psam
"""Ctrl-C outside of waits; a handler that ends the program."""

import os
import signal
import sys
import time

from smartcard.System import readers

connection = readers()[2].createConnection()
connection.connect()


def handler(number, frame):
    print("signal", number)
    connection.disconnect()
    sys.exit(3)


signal.signal(signal.SIGINT, handler)
signal.signal(signal.SIGALRM, lambda number, frame: os.kill(os.getpid(), signal.SIGINT))
while True:
    print(connection.transmit([0, 0x84, 0, 0, 8])[2])
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    time.sleep(30)
