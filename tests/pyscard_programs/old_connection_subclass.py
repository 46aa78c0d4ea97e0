"""Programs that derive from the package's own classes."""

from smartcard.CardConnection import CardConnection
from smartcard.Exceptions import NoCardException
from smartcard.pcsc.PCSCCardConnection import PCSCCardConnection, translateprotocolheader
from smartcard.pcsc.PCSCReader import PCSCReader
from smartcard.scard import SCardTransmit
from smartcard.System import readers


class Remote(CardConnection):
    """A connection to a card somewhere else."""

    def __init__(self, reader):
        super().__init__(reader)
        self.sent = []

    def connect(self, protocol=None, mode=None, disposition=None):
        super().connect(protocol, mode, disposition)
        if self.reader == "empty":
            raise NoCardException("Card absent", hresult=0x8010000C)

    def doTransmit(self, command, protocol):
        self.sent.append(command)
        return [1, 2, 3], 0x90, 0x00


remote = Remote("remote")
remote.connect()
print(remote.transmit([0, 0, 0, 0]), remote.sent, remote.getReader(), remote.getProtocol())
print(remote.control(1, [2]), remote.getAttrib(1), remote.countObservers())
with Remote("empty") as other:
    try:
        other.connect()
    except NoCardException as e:
        print(e, e.args)


class Logged(PCSCCardConnection):
    def doTransmit(self, command, protocol=None):
        print(">>", bytes(command).hex())
        return super().doTransmit(command, protocol)


connection = Logged(str(readers()[2]))
connection.connect()
print(connection.transmit([0, 0x84, 0, 0, 8]), connection.hcard is not None)
header = translateprotocolheader(connection.getProtocol())
print(header, SCardTransmit(connection.hcard, header, [0xFF, 0xCA, 0, 0, 0]))
connection.release()
print(connection.hcard, connection.hcontext, connection.reader)


class MyReader(PCSCReader):
    def __str__(self):
        return "my " + self.name


mine = MyReader("SSC Terminal User 00 00")
print(mine, [mine], mine == readers()[0], hash(mine) == hash(readers()[0]), mine in readers())
print(readers()[0] == readers()[1], readers().index(mine), {readers()[0]: 1}[mine])
connection = mine.createConnection()
connection.connect()
print(connection.getReader(), isinstance(connection.component, PCSCCardConnection))
connection.release()
