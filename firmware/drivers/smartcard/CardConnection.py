"""What every connection to a card has: observers, error checking, the `with` statement."""

from .CardConnectionEvent import CardConnectionEvent
from .Observer import Observable


class CardConnection(Observable):
    """A subclass overrides doTransmit, doControl and doGetAttrib."""

    T0_protocol = 0x00000001
    T1_protocol = 0x00000002
    RAW_protocol = 0x00010000
    T15_protocol = 0x00000008

    def __init__(self, reader):
        """reader: name of the reader."""
        Observable.__init__(self)
        self.reader = reader
        self.errorcheckingchain = None
        self.defaultprotocol = self.T0_protocol | self.T1_protocol

    def addSWExceptionToFilter(self, exClass):
        """No such exception from the error checking chain; without effect before there is one."""
        if self.errorcheckingchain is not None:
            self.errorcheckingchain[0].addFilterException(exClass)

    def setErrorCheckingChain(self, errorcheckingchain):
        """A list of sw.ErrorCheckingChain; its first is called with each answer."""
        self.errorcheckingchain = errorcheckingchain

    def connect(self, protocol=None, mode=None, disposition=None):
        self._tell("connect")

    def reconnect(self, protocol=None, mode=None, disposition=None):
        self._tell("reconnect")

    def disconnect(self):
        self._tell("disconnect")

    def release(self):
        self._tell("release")

    def getATR(self):
        """The ATR as a list of ints."""

    def getReader(self):
        return self.reader

    def getProtocol(self):
        """A mask of *_protocol."""
        return self.defaultprotocol

    def setProtocol(self, protocol):
        """The mask for connect() and transmit() where they are given none."""
        self.defaultprotocol = protocol

    def transmit(self, command, protocol=None):
        """(data, sw1, sw2), data a list of ints."""
        if self.obs:
            self._tell("command", [command, protocol])
        data, sw1, sw2 = self.doTransmit(command, protocol)
        if self.obs:
            self._tell("response", [data, sw1, sw2])
        if self.errorcheckingchain is not None:
            self.errorcheckingchain[0](data, sw1, sw2)
        return data, sw1, sw2

    def doTransmit(self, command, protocol):
        return [], 0, 0

    def control(self, controlCode, command=None):
        """The reader's answer to a control command, a list of ints."""
        command = [] if command is None else command
        self._tell("command", [controlCode, command])
        data = self.doControl(controlCode, command)
        self._tell("response", data)
        return data

    def doControl(self, controlCode, command):
        return []

    def getAttrib(self, attribId):
        """A value of the reader or card, a list of ints.  attribId: scard.SCARD_ATTR_*."""
        self._tell("attrib", [attribId])
        return self.doGetAttrib(attribId)

    def doGetAttrib(self, attribId):
        return []

    def beginTransaction(self):
        """Not pyscard's: no other connection reaches the card until endTransaction().  Waits,
        without a limit, while one of them holds it."""

    def endTransaction(self, disposition=0):
        """Not pyscard's.  disposition: what to do to the card, scard.SCARD_LEAVE_CARD without."""

    def __enter__(self):
        return self

    def __exit__(self, kind, value, traceback):
        self.disconnect()

    def _tell(self, event, args=None):
        if self.obs:
            self.setChanged()
            self.notifyObservers(CardConnectionEvent(event, args))
