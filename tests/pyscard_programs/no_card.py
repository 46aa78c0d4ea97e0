# cards: psam
from smartcard.Exceptions import NoCardException
from smartcard.System import readers
from smartcard.util import toHexString

for reader in readers():
    try:
        connection = reader.createConnection()
        connection.connect()
        print(reader, toHexString(connection.getATR()))
    except NoCardException as e:
        print(reader, "no card inserted", e, repr(e), e.hresult, hex(e.hresult), e.args)
connection = readers()[0].createConnection()
connection.connect()
