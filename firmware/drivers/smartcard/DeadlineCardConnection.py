"""Not pyscard's: a connection whose every call ends, though its card says nothing for ever.

PC/SC knows no deadline.  A reader's driver bounds a real card by the waiting time of its protocol,
but not all do, and another program's lock() has no end.
"""

from .CardConnectionDecorator import CardConnectionDecorator, innermost


class DeadlineCardConnection(CardConnectionDecorator):
    """A call that lasts longer than `seconds` raises CardConnectionException with the code
    SCARD_E_TIMEOUT, and leaves the connection unconnected.  connect() works again once the card
    lets its reader go, which for a mute one is when it is taken out.

    Each call runs in a thread of its own.  A command given up this way may have been carried out:
    it is never sent again.
    """

    def __init__(self, cardconnection, seconds):
        CardConnectionDecorator.__init__(self, cardconnection)
        innermost(cardconnection).deadline_s = seconds
