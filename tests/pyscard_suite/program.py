"""Runs a program written for pyscard over the shim, as a user would: install(), nothing else.

usage: [micro]python program.py ROOT FILE

It sleeps a second and a half where it would wait longer for a person.
"""

import sys
import time

MOST_S = 1.5


class Impatient:
    """The module `time`, whose sleep is short."""

    def __getattr__(self, name):
        return getattr(time, name)


def main(root, path):
    sys.path.insert(0, root)
    impatient = Impatient()
    impatient.sleep = lambda seconds: time.sleep(min(seconds, MOST_S))
    sys.modules["time"] = impatient
    from firmware.drivers.smartcard import install

    install()
    sys.argv[:] = [path]
    with open(path) as file:
        exec(file.read(), {"__name__": "__main__"})


main(*sys.argv[1:])
