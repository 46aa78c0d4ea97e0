"""What every request for a card has."""

from .CardType import AnyCardType
from .PassThruCardService import PassThruCardService


class AbstractCardRequest:
    """newcardonly: not the cards that are there already.  readers: a list, all without one.
    cardType: any without one.  cardServiceClass: pass-thru without one.  timeout: seconds; None:
    without a limit."""

    def __init__(
        self,
        newcardonly=False,
        readers=None,
        cardType=None,
        cardServiceClass=None,
        timeout=1,
    ):
        self.newcardonly = newcardonly
        self.readersAsked = readers
        self.cardType = AnyCardType() if cardType is None else cardType
        self.cardServiceClass = (
            PassThruCardService if cardServiceClass is None else cardServiceClass
        )
        self.timeout = timeout

    def getReaders(self):
        """The readers it looks at."""
        if self.readersAsked is not None:
            return self.readersAsked
        from .System import readers

        return readers()

    def waitforcard(self):
        """A card service of the card that came."""

    def waitforcardevent(self):
        """All cards that are there after one came or went."""
