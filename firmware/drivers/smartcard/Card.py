"""A card: a reader and the ATR of what is in it."""

from .reader.Reader import Reader
from .util import toHexString


class Card:
    """reader: a Reader or a reader's name.  Two cards of one reader name and ATR are equal."""

    def __init__(self, reader, atr):
        self.reader = reader
        self.atr = atr

    def __repr__(self):
        return toHexString(self.atr) + " / " + str(self.reader)

    def __str__(self):
        return self.__repr__()

    def __eq__(self, other):
        return (
            isinstance(other, Card)
            and self.atr == other.atr
            and str(self.reader) == str(other.reader)
        )

    def __ne__(self, other):
        return not self == other

    def __hash__(self):
        return hash(self.__repr__())

    def createConnection(self):
        """A connection that is not connected yet, or None when that reader is gone."""
        if isinstance(self.reader, Reader):
            return self.reader.createConnection()
        from .System import readers

        for reader in readers():
            if self.reader == str(reader):
                return reader.createConnection()
        return None
