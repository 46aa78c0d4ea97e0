"""A connection around another one: a subclass overrides what it changes."""


class CardConnectionDecorator:
    """component: the connection inside."""

    def __init__(self, cardConnectionComponent):
        self.component = cardConnectionComponent

    def addSWExceptionToFilter(self, exClass):
        self.component.addSWExceptionToFilter(exClass)

    def setErrorCheckingChain(self, errorcheckingchain):
        self.component.setErrorCheckingChain(errorcheckingchain)

    def addObserver(self, observer):
        self.component.addObserver(observer)

    def deleteObserver(self, observer):
        self.component.deleteObserver(observer)

    def connect(self, protocol=None, mode=None, disposition=None):
        self.component.connect(protocol, mode, disposition)

    def reconnect(self, protocol=None, mode=None, disposition=None):
        self.component.reconnect(protocol, mode, disposition)

    def disconnect(self):
        self.component.disconnect()

    def release(self):
        self.component.release()

    def getATR(self):
        return self.component.getATR()

    def getReader(self):
        return self.component.getReader()

    def getProtocol(self):
        return self.component.getProtocol()

    def setProtocol(self, protocol):
        return self.component.setProtocol(protocol)

    def transmit(self, command, protocol=None):
        return self.component.transmit(command, protocol)

    def control(self, controlCode, command=None):
        return self.component.control(controlCode, [] if command is None else command)

    def getAttrib(self, attribId):
        return self.component.getAttrib(attribId)

    def beginTransaction(self):
        self.component.beginTransaction()

    def endTransaction(self, disposition=0):
        self.component.endTransaction(disposition)

    def __enter__(self):
        return self

    def __exit__(self, kind, value, traceback):
        self.disconnect()
        self.release()


def innermost(connection):
    """Not pyscard's: the connection that all decorators are around."""
    while hasattr(connection, "component"):
        connection = connection.component
    return connection
