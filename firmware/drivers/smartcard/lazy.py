"""Not pyscard's: modules that are imported when they are first used.

pyscard imports nearly all of its modules at once; so `smartcard.pcsc.PCSCReader` may stand in a
program that imported `smartcard.System` alone.
"""

import sys


def public(own, names):
    """For __all__: what a module defines, and those `names` (words) that its __getattr__ finds, so
    that `from module import *` gives what pyscard's gives."""
    return [each for each in own if not each.startswith("_")] + names.split()


def found(name, places):
    """An attribute of another module.  places: {name: "package.module"}.  Raises AttributeError."""
    if name not in places:
        raise AttributeError(name)
    return getattr(__import__(places[name], None, None, (name,)), name)


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
    raise AttributeError("module '%s' has no attribute '%s'" % (package, name))
