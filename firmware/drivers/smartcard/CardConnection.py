"""What every connection to a card has: the protocol numbers and the `with` statement."""


class CardConnection:
    T0_protocol = 0x00000001
    T1_protocol = 0x00000002
    RAW_protocol = 0x00010000
    T15_protocol = 0x00000008

    def __init__(self, reader):
        """reader: name of the reader."""
        self.reader = reader
        self.defaultprotocol = self.T0_protocol | self.T1_protocol

    def getReader(self):
        return self.reader

    def setProtocol(self, protocol):
        """The mask for connect() and transmit() where they are given none."""
        self.defaultprotocol = protocol

    def release(self):
        """Each kind of connection closes itself."""
        raise NotImplementedError

    def __enter__(self):
        return self

    def __exit__(self, kind, value, traceback):
        self.release()
