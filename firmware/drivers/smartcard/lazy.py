"""Not pyscard's: modules that are imported when they are first used.

pyscard imports nearly all of its modules at once; so `smartcard.pcsc.PCSCReader` may stand in a
program that imported `smartcard.System` alone.
"""

import sys


def submodule(package, name):
    """The module package.name.  Raises AttributeError: called by the package's __getattr__."""
    full = package + "." + name
    if not name.startswith("_"):
        try:
            __import__(full)
        except ImportError:
            pass
        else:
            return sys.modules[full]
    raise AttributeError(name)
