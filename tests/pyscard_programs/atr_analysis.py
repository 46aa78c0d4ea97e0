from smartcard.ATR import ATR
from smartcard.System import readers
from smartcard.util import toHexString

for reader in (readers()[0], readers()[2]):
    connection = reader.createConnection()
    connection.connect()
    atr = ATR(connection.getATR())
    print(atr)
    print("historical bytes: ", toHexString(atr.getHistoricalBytes()))
    print("checksum: ", atr.getChecksum(), atr.checksumOK)
    print("T0  supported: ", atr.isT0Supported(), "T1", atr.isT1Supported(), atr.isT15Supported())
    print(atr.getSupportedProtocols(), atr.getGuardTime(), atr.getBitRateFactor())
    print(atr.getClockRateConversion(), atr.getProgrammingCurrent(), atr.getProgrammingVoltage())
    print(atr.TA, atr.TB, atr.TC, atr.TD, atr.hasChecksum, atr.getTA1(), atr.getTD1(), atr.Y)
    atr.dump()
    print(atr.render())
    connection.disconnect()
for text in ("3B9F958131FE9F006646530510 0031FF71DF00000000006A02", "3FFF9500FF918171A04700444E415350303131205265764230423A"):
    print(ATR(list(bytes.fromhex(text.replace(" ", "")))).render())
