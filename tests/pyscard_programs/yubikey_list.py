"""As a token's manager opens its device: System.readers, exclusive where it can, else shared."""

import logging
import struct

from smartcard import System
from smartcard.Exceptions import CardConnectionException, NoCardException
from smartcard.ExclusiveConnectCardConnection import ExclusiveConnectCardConnection
from smartcard.pcsc.PCSCExceptions import EstablishContextException, ListReadersException

logger = logging.getLogger(__name__)


class Device:
    def __init__(self, reader):
        self.reader = reader
        self.fingerprint = reader.name

    def open(self):
        return Connection(self.reader.createConnection())


class Connection:
    def __init__(self, connection):
        try:
            excl = ExclusiveConnectCardConnection(connection)
            excl.connect()
            self.connection = excl
            print("exclusive")
        except CardConnectionException as e:
            print("shared", e)
            connection.connect()
            self.connection = connection
        atr = self.connection.getATR()
        self.is_usb = atr and atr[1] & 0xF0 == 0xF0

    def close(self):
        self.connection.disconnect()

    def __enter__(self):
        return self

    def __exit__(self, typ, value, traceback):
        self.close()

    def send(self, apdu):
        data, sw1, sw2 = self.connection.transmit(list(apdu))
        return bytes(data), sw1 << 8 | sw2


def list_readers():
    try:
        return System.readers()
    except (ListReadersException, EstablishContextException) as e:
        print("no readers", e)
        return []


def aid(value):
    return b"\0\xa4\x04\0" + struct.pack(">B", len(value)) + value


for reader in list_readers():
    with Device(reader).open() as connection:
        print(reader, connection.is_usb, connection.send(aid(bytes.fromhex("A000000308000010"))))
        try:
            with Device(reader).open() as second:
                print(second.send(b"\0\x84\0\0\x08"))
        except CardConnectionException as e:
            print(type(e), e.hresult, str(e), e.args)
