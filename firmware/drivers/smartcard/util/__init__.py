"""Bytes as lists of ints, and their hex."""

PACK = 1
HEX = 2
UPPERCASE = 4
COMMA = 8


def padd(bytelist, length, padding="FF"):
    """A new list, filled up to that length with a byte given in hex; not cut when it is longer."""
    return bytelist + [int(padding, 16)] * (length - len(bytelist))


def toASCIIBytes(stringtoconvert):
    """ "Number 101" -> [78, 117, ...]; other than ASCII becomes UTF-8."""
    return list(stringtoconvert.encode())


def toASCIIString(bytelist):
    """[78, 117, ...] -> "Nu..."; a period for what is not in 32..127."""
    return "".join([chr(value) if 32 <= value <= 127 else "." for value in bytelist])


def toBytes(bytestring):
    """ "3B 65" or "3B65", any white space -> [0x3B, 0x65].  TypeError when it is no hex."""
    try:
        return list(bytes.fromhex("".join(bytestring.split())))
    except (ValueError, AttributeError):
        raise TypeError("not a string representing a list of bytes")


def toHexString(data=None, output_format=0):
    """[0x3B, 0x65] -> "3B 65".  PACK: no spaces; COMMA: commas; HEX: 0x before each; UPPERCASE: 0X.

    None -> "".  data: list of ints, bytes or bytearray; TypeError otherwise.
    """
    if data is None:
        return ""
    if not isinstance(data, (list, bytes, bytearray)):
        raise TypeError("not a list of bytes")
    prefix = ""
    if output_format & HEX:
        prefix = "0X" if output_format & UPPERCASE else "0x"
    separator = "," if output_format & COMMA else ""
    if not output_format & PACK:
        separator += " "
    return separator.join(["%s%02X" % (prefix, value & 0xFF) for value in data])


def toGSM3_38Bytes(stringtoconvert):
    """A str, or bytes in ISO 8859-1, in the alphabet of GSM 03.38.  KeyError for a character that
    it has not."""
    from .gsm import CODES

    if isinstance(stringtoconvert, bytes):
        stringtoconvert = "".join([chr(value) for value in stringtoconvert])
    return [CODES[character] for character in stringtoconvert]


def HexListToBinString(hexlist):
    """Of old: bytes(hexlist).decode() is the same."""
    _warn("bytes(hexlist).decode()")
    return bytes(hexlist).decode()


def BinStringToHexList(binstring):
    """Of old: list(binstring.encode()) is the same."""
    _warn("list(binstring.encode())")
    return list(binstring.encode())


hl2bs = HexListToBinString
bs2hl = BinStringToHexList


def _warn(better):
    from ..deprecated import warn

    warn(better)
