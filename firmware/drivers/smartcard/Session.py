"""A card, connected, in one object."""

from .Exceptions import InvalidReaderException, NoReadersException
from .PassThruCardService import PassThruCardService
from .System import readers


class Session:
    """readerName: of the reader, the first without one.  Raises NoReadersException,
    InvalidReaderException and what connect() raises."""

    def __init__(self, readerName=None):
        found = readers()
        if readerName is None and not found:
            raise NoReadersException()
        if readerName is not None:
            found = [reader for reader in found if str(reader) == str(readerName)]
            if not found:
                raise InvalidReaderException(readerName)
        self.reader = found[0]
        self.readerName = repr(self.reader)
        self.cs = PassThruCardService(self.reader.createConnection())
        try:
            self.cs.connection.connect()
        except Exception:
            self.cs.connection.release()
            raise

    def close(self):
        """Disconnects the card."""
        self.cs.connection.disconnect()

    def sendCommandAPDU(self, command):
        """(answer, sw1, sw2); as in pyscard, SW1 SW2 stand at the end of the answer, too, where it
        is longer than two bytes."""
        response, sw1, sw2 = self.cs.connection.transmit(command)
        if len(response) > 2:
            response = response + [sw1, sw2]
        return response, sw1, sw2

    def getATR(self):
        return self.cs.connection.getATR()

    def __repr__(self):
        return "<Session instance: readerName=%s>" % self.readerName
