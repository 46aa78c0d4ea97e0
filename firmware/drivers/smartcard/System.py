"""The readers of this machine."""


def readers(groups=None):
    """A list of readers, [] when there is none; raises EstablishContextException without pcscd."""
    from .reader.ReaderFactory import ReaderFactory

    return ReaderFactory.readers([] if groups is None else groups)


def readergroups():
    """The names of the reader groups; pcsc-lite has one."""
    from .pcsc.PCSCReaderGroups import PCSCReaderGroups

    return PCSCReaderGroups().instance


def listReaders():
    """The names of all readers; of old, readers() says more."""
    return [str(reader) for reader in readers()]
