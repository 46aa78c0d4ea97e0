"""A connection whose card can be locked: no other program's command comes between."""

from .CardConnectionDecorator import CardConnectionDecorator, innermost
from .pcsc.PCSCCardConnection import PCSCCardConnection


class ExclusiveTransmitCardConnection(CardConnectionDecorator):
    """Does nothing around a connection that is not PC/SC's."""

    def __init__(self, cardconnection):
        CardConnectionDecorator.__init__(self, cardconnection)

    def lock(self):
        """Waits while another connection holds the card.  Raises CardConnectionException."""
        connection = innermost(self)
        if isinstance(connection, PCSCCardConnection):
            connection.beginTransaction()

    def unlock(self):
        """Raises CardConnectionException."""
        connection = innermost(self)
        if isinstance(connection, PCSCCardConnection):
            connection.endTransaction()
