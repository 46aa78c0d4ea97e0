"""A pyscard-compatible shim over libpcsclite, for CPython and MicroPython's unix port.

The same names, shapes and constants as pyscard's `smartcard`; docs/pyscard.md says what differs.
Works as `firmware.drivers.smartcard`, as `smartcard` after install(), and, with firmware/drivers on
the path, as `smartcard`.  Importing it loads nothing else.
"""

import sys

__all__ = ["Session", "install", "listReaders"]

if hasattr(sys, "meta_path"):  # MicroPython's modules have no class of ours

    class _Package(type(sys)):  # type: ignore[misc]
        """Its attribute `Session` is the class, also after `import smartcard.Session`."""

        def __setattr__(self, name, value):
            if name == "Session" and isinstance(value, type(sys)):
                value = value.Session
            super().__setattr__(name, value)

    sys.modules[__name__].__class__ = _Package


def __getattr__(name):
    """Session, listReaders and the modules of this package, each imported when it is used."""
    if name == "Session":
        from .Session import Session

        globals()[name] = Session  # the import has put the module there
        return Session
    if name == "listReaders":
        from .System import listReaders

        return listReaders
    from .lazy import submodule

    return submodule(__name__, name)


def install(deadline_s=None):
    """Make this package `smartcard` for every later import of this process.

    deadline_s: seconds for each call of every connection, see DeadlineCardConnection.
    Raises RuntimeError when pyscard itself was imported before.
    """
    from .aliases import register

    register("smartcard", __name__)
    if deadline_s is not None:
        from .lazy import submodule

        connections = submodule("smartcard.pcsc", "PCSCCardConnection")
        connections.PCSCCardConnection.deadline_s = deadline_s
