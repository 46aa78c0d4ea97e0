"""Runs a program written for pyscard over the shim, as a user would: install(), nothing else.

usage: python -m tests.pyscard_suite.program [--impatient] FILE

--impatient: it sleeps a second where it would wait for a person.
"""

import runpy
import sys
import time

from firmware.drivers.smartcard import install

_MOST_S = 1.5


def main(arguments: list[str]) -> None:
    if arguments[0] == "--impatient":
        arguments = arguments[1:]
        sleep = time.sleep
        time.sleep = lambda seconds: sleep(min(seconds, _MOST_S))
    install()
    sys.argv = arguments
    runpy.run_path(arguments[0], run_name="__main__")


main(sys.argv[1:])
