"""A reader known to pcscd.

What listing readers does not need, connections and exceptions, is imported when it is used.
"""

from .. import scard
from ..lazy import found, public
from ..reader.Reader import Reader


class PCSCReader(Reader):
    def addtoreadergroup(self, groupname):
        """Raises IntroduceReaderException: pcsc-lite has one group."""
        from .PCSCExceptions import AddReaderToGroupException, IntroduceReaderException

        with _Context() as hcontext:
            hresult = scard.SCardIntroduceReader(hcontext, self.name, self.name)
            if hresult not in (scard.SCARD_S_SUCCESS, scard.SCARD_E_DUPLICATE_READER):
                raise IntroduceReaderException(hresult, self.name)
            hresult = scard.SCardAddReaderToGroup(hcontext, self.name, groupname)
            if hresult != scard.SCARD_S_SUCCESS:
                raise AddReaderToGroupException(hresult, self.name, groupname)

    def removefromreadergroup(self, groupname):
        """Raises RemoveReaderFromGroupException."""
        from .PCSCExceptions import RemoveReaderFromGroupException

        with _Context() as hcontext:
            hresult = scard.SCardRemoveReaderFromGroup(hcontext, self.name, groupname)
            if hresult != scard.SCARD_S_SUCCESS:
                raise RemoveReaderFromGroupException(hresult, self.name, groupname)

    def createConnection(self):
        """A connection that is not connected yet; raises CardConnectionException without pcscd."""
        from ..CardConnectionDecorator import CardConnectionDecorator
        from .PCSCCardConnection import PCSCCardConnection

        return CardConnectionDecorator(PCSCCardConnection(self.name))

    class Factory:
        @staticmethod
        def create(readername):
            return PCSCReader(readername)

    @staticmethod
    def readers(groups=None):
        """All readers, [] when there is none; raises EstablishContextException without pcscd."""
        groups = [] if groups is None else groups
        with _Context() as hcontext:
            hresult, names = scard.SCardListReaders(
                hcontext, [groups] if isinstance(groups, str) else groups
            )
        if hresult == scard.SCARD_E_NO_READERS_AVAILABLE:
            return []
        if hresult != scard.SCARD_S_SUCCESS:
            raise _cannot_list(hresult)
        return [PCSCReader(name) for name in names]


def _cannot_list(hresult):
    """The exception of a list that failed."""
    from ..Exceptions import CardServiceNotFoundException, CardServiceStoppedException
    from .PCSCExceptions import ListReadersException

    if hresult == scard.SCARD_E_SERVICE_STOPPED:
        return CardServiceStoppedException(hresult=hresult)
    if hresult == scard.SCARD_E_NO_SERVICE:
        return CardServiceNotFoundException(hresult=hresult)
    return ListReadersException(hresult)


class _Context:
    """A PC/SC context for a `with`."""

    def __enter__(self):
        hresult, self._hcontext = scard.SCardEstablishContext(scard.SCARD_SCOPE_USER)
        if hresult != scard.SCARD_S_SUCCESS:
            from .PCSCExceptions import EstablishContextException

            raise EstablishContextException(hresult)
        return self._hcontext

    def __exit__(self, kind, value, traceback):
        scard.SCardReleaseContext(self._hcontext)


_SMARTCARD = __name__[: -len(".pcsc.PCSCReader")]
_ELSEWHERE = {"CardConnectionDecorator": _SMARTCARD + ".CardConnectionDecorator"}
_ELSEWHERE["PCSCCardConnection"] = _SMARTCARD + ".pcsc.PCSCCardConnection"
for _name in ("CardServiceNotFound", "CardServiceStopped", "NoCard"):
    _ELSEWHERE[_name + "Exception"] = _SMARTCARD + ".Exceptions"
for _name in ("AddReaderToGroup", "EstablishContext", "IntroduceReader", "ListReaders"):
    _ELSEWHERE[_name + "Exception"] = _SMARTCARD + ".pcsc.PCSCExceptions"
for _name in ("ReleaseContext", "RemoveReaderFromGroup"):
    _ELSEWHERE[_name + "Exception"] = _SMARTCARD + ".pcsc.PCSCExceptions"


def __getattr__(name):
    """What pyscard's module has by its imports."""
    return found(name, _ELSEWHERE) if name in _ELSEWHERE else scard.named(name)


__all__ = public(
    globals(),
    " ".join(_ELSEWHERE) + " SCARD_E_DUPLICATE_READER SCARD_E_NO_READERS_AVAILABLE"
    " SCARD_E_NO_SERVICE SCARD_E_SERVICE_STOPPED SCARD_SCOPE_USER SCARD_S_SUCCESS"
    " SCardAddReaderToGroup SCardEstablishContext SCardIntroduceReader SCardListReaders"
    " SCardReleaseContext SCardRemoveReaderFromGroup",
)
