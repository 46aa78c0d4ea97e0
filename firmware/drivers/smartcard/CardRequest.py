"""Waiting for a card."""


def __getattr__(name):
    """pyscard's module has PCSCCardRequest by its import."""
    if name != "PCSCCardRequest":
        raise AttributeError(name)
    from .pcsc.PCSCCardRequest import PCSCCardRequest

    return PCSCCardRequest


class CardRequest:
    """See AbstractCardRequest.  Leaving `with` gives the PC/SC context back."""

    def __init__(
        self,
        newcardonly=False,
        readers=None,
        cardType=None,
        cardServiceClass=None,
        timeout=1,
    ):
        """Raises CardConnectionException without pcscd."""
        from .pcsc.PCSCCardRequest import PCSCCardRequest

        self.pcsccardrequest = PCSCCardRequest(
            newcardonly, readers, cardType, cardServiceClass, timeout
        )

    def getReaders(self):
        return self.pcsccardrequest.getReaders()

    def waitforcard(self):
        """A card service of the card that came.  Raises CardRequestTimeoutException."""
        return self.pcsccardrequest.waitforcard()

    def waitforcardevent(self):
        """A list of Cards: at once the first time, then after one came or went.  Raises
        CardRequestTimeoutException."""
        return self.pcsccardrequest.waitforcardevent()

    def __enter__(self):
        return self

    def __exit__(self, kind, value, traceback):
        self.pcsccardrequest.release()
        return False
