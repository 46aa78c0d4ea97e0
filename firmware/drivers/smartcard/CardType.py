"""Kinds of cards to wait for."""

from .Exceptions import InvalidATRMaskLengthException
from .util import toHexString


class CardType:
    def __init__(self):
        pass

    def matches(self, atr, reader=None):
        """atr: list of ints.  reader: for a type that must ask the card itself."""


class AnyCardType(CardType):
    def matches(self, atr, reader=None):
        return True


class ATRCardType(CardType):
    """Cards of that ATR; where there is a mask, only its bits count."""

    def __init__(self, atr, mask=None):
        self.atr = list(atr)
        self.mask = mask
        if mask is not None and len(mask) != len(self.atr):
            raise InvalidATRMaskLengthException(toHexString(mask))
        self.maskedatr = self._masked(self.atr)

    def matches(self, atr, reader=None):
        return len(atr) == len(self.atr) and self._masked(list(atr)) == self.maskedatr

    def _masked(self, atr):
        if self.mask is None:
            return atr
        return [value & bits for value, bits in zip(atr, self.mask)]
