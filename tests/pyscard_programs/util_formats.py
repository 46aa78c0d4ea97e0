from smartcard.util import *
from smartcard.util import bs2hl, hl2bs

data = [59, 101, 0, 0, 156, 17, 1, 1, 3]
for form in range(16):
    print(form, toHexString(data, form), toHexString([], form), toHexString([-1, 256], form))
print(toHexString(data, PACK | HEX | UPPERCASE), toHexString(), toHexString(None))
print(toBytes("3B65 00 009C"), toBytes(" 3b\t65\n"), toBytes(""))
print(padd([1, 2], 5), padd([1, 2], 4, "0A"), padd([1, 2, 3], 2))
print(toASCIIBytes("Number 101"), toASCIIString([78, 117, 0, 31, 127, 128, 255, 10]))
print(toGSM3_38Bytes("@ùPascal"), toGSM3_38Bytes("Ω$"), HexListToBinString([65, 66]))
print(BinStringToHexList("AB"), hl2bs([67]), bs2hl("D"))
