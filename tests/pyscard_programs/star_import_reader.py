from smartcard.Exceptions import NoCardException
from smartcard.pcsc.PCSCReader import *
from smartcard.util import toBytes

creaders = PCSCReader.readers()
for reader in creaders:
    try:
        print(reader.name)
        connection = reader.createConnection()
        connection.connect()
        print(connection.getATR())
        data, sw1, sw2 = connection.transmit(toBytes("00 A4 00 00 02 3F 00"))
        print(f"{sw1:02X} {sw2:02X}")
    except NoCardException:
        print("no card in reader")
print(SCARD_S_SUCCESS, EstablishContextException.__mro__, PCSCCardConnection, CardConnectionDecorator)
hresult, hcontext = SCardEstablishContext(SCARD_SCOPE_USER)
print(SCardListReaders(hcontext, []), SCardReleaseContext(hcontext))
