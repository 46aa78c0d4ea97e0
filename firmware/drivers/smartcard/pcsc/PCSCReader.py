"""A reader known to pcscd."""

from .. import scard
from .PCSCCardConnection import PCSCCardConnection
from .PCSCExceptions import EstablishContextException, ListReadersException


class PCSCReader:
    """Equal to another reader, or to a str, of the same name."""

    def __init__(self, readername):
        self.name = readername

    def createConnection(self):
        """A connection that is not connected yet; raises CardConnectionException without pcscd."""
        return PCSCCardConnection(self.name)

    @staticmethod
    def readers(groups=()):
        """All readers, [] when there is none; raises EstablishContextException without pcscd."""
        hresult, hcontext = scard.SCardEstablishContext(scard.SCARD_SCOPE_USER)
        if hresult != scard.SCARD_S_SUCCESS:
            raise EstablishContextException(hresult)
        try:
            hresult, names = scard.SCardListReaders(hcontext, groups)
        finally:
            scard.SCardReleaseContext(hcontext)
        if hresult == scard.SCARD_E_NO_READERS_AVAILABLE:
            return []
        if hresult != scard.SCARD_S_SUCCESS:
            raise ListReadersException(hresult)
        return [PCSCReader(name) for name in names]

    def __eq__(self, other):
        return self.name == getattr(other, "name", other)

    def __hash__(self):
        return hash(self.name)

    def __str__(self):
        return self.name

    def __repr__(self):
        return repr(self.name)
