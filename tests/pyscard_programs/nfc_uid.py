from smartcard.System import readers
from smartcard.util import toHexString

GET_UID = [0xFF, 0xCA, 0x00, 0x00, 0x00]

r = readers()
print("Readers:", r)
if len(r) < 1:
    print("error: No readers available!")
    exit()

reader = r[0]
print("Using:", reader)
connection = reader.createConnection()
connection.connect()
data, sw1, sw2 = connection.transmit(GET_UID)
print("Response:", data, "SW1:", sw1, "SW2:", sw2)
print("UID: {}".format(toHexString(data).replace(" ", "")), "Status: %02X %02X" % (sw1, sw2))
if (sw1, sw2) == (0x90, 0x0):
    print(toHexString(data[::-1]), data.index(0xA1), str(reader)[:-5], len(reader.name))
