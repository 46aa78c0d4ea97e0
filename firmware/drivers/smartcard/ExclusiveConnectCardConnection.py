"""A connection that shares its card with nobody."""

from .CardConnectionDecorator import CardConnectionDecorator, innermost
from .pcsc.PCSCCardConnection import PCSCCardConnection


class ExclusiveConnectCardConnection(CardConnectionDecorator):
    """Does nothing around a connection that is not PC/SC's."""

    def __init__(self, cardconnection):
        CardConnectionDecorator.__init__(self, cardconnection)

    def connect(self, protocol=None, mode=None, disposition=None):
        """Raises CardConnectionException where the card is in use, and is unconnected then."""
        CardConnectionDecorator.connect(self, protocol, mode, disposition)
        connection = innermost(self)
        if isinstance(connection, PCSCCardConnection):
            connection.connect_exclusively(protocol)
