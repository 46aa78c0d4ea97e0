"""The reader groups of pcscd: one, and it cannot be changed."""

from .. import scard
from ..reader.ReaderGroups import innerreadergroups, readergroups
from .PCSCExceptions import EstablishContextException, ListReadersException


class pcscinnerreadergroups(innerreadergroups):
    def __init__(self, initlist=None):
        innerreadergroups.__init__(self, initlist)
        self.unremovablegroups = ["SCard$DefaultReaders"]

    def getreadergroups(self):
        hresult, hcontext = scard.SCardEstablishContext(scard.SCARD_SCOPE_USER)
        if hresult != scard.SCARD_S_SUCCESS:
            raise EstablishContextException(hresult)
        hresult, names = scard.SCardListReaderGroups(hcontext)
        scard.SCardReleaseContext(hcontext)
        if hresult != scard.SCARD_S_SUCCESS:
            raise ListReadersException(hresult)
        return names

    def addreadergroup(self, newgroup):
        _check(scard.SCardIntroduceReaderGroup(0, newgroup), "Unable to introduce reader group")
        innerreadergroups.addreadergroup(self, newgroup)

    def removereadergroup(self, group):
        _check(scard.SCardForgetReaderGroup(0, group), "Unable to forget reader group")
        innerreadergroups.removereadergroup(self, group)


class PCSCReaderGroups(readergroups):
    innerclazz = pcscinnerreadergroups


def _check(hresult, doing):
    if hresult != scard.SCARD_S_SUCCESS:
        raise scard.error("%s: %s" % (doing, scard.SCardGetErrorMessage(hresult)))


def __getattr__(name):
    """scard's names: pyscard's module has them, too."""
    return scard.named(name)
