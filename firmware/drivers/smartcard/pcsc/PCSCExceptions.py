"""The exceptions of the service itself.  As in pyscard they are no SmartcardException."""

from .. import scard


class BaseSCardException(Exception):
    """hresult: the PC/SC code."""

    doing = "use the smart card service"

    def __init__(self, hresult):
        super().__init__(hresult)
        self.hresult = hresult

    def __str__(self):
        return "Failure to %s: %s (0x%08X)" % (
            self.doing,
            scard.SCardGetErrorMessage(self.hresult),
            self.hresult,
        )


class EstablishContextException(BaseSCardException):
    doing = "establish context"


class ListReadersException(BaseSCardException):
    doing = "list readers"
