"""A program's own commands of one kind of card, around a connection."""


class CardService:
    """Leaving `with` disconnects the card and releases the connection; dropping the service alone
    does neither."""

    def __init__(self, connection, cardname=None):
        self.connection = connection
        self.cardname = cardname

    def __enter__(self):
        return self

    def __exit__(self, kind, value, traceback):
        self.connection.disconnect()
        self.connection.release()
        return False

    @staticmethod
    def supports(cardname):
        """True for the cards that this service knows."""
