"""Bytes as lists of ints, and their hex."""

PACK = 1
HEX = 2
UPPERCASE = 4
COMMA = 8


def toHexString(data=None, format=0):
    """[0x3B, 0x65] -> "3B 65".  PACK: no spaces; COMMA: commas; HEX: 0x before each; UPPERCASE: 0X.

    None -> "".  data: list of ints, bytes or bytearray; TypeError otherwise.
    """
    if data is None:
        return ""
    if not isinstance(data, (list, bytes, bytearray)):
        raise TypeError("not a list of bytes")
    prefix = ""
    if format & HEX:
        prefix = "0X" if format & UPPERCASE else "0x"
    separator = "," if format & COMMA else ""
    if not format & PACK:
        separator += " "
    return separator.join(["%s%02X" % (prefix, value & 0xFF) for value in data])


def toBytes(bytestring):
    """ "3B 65" or "3B65", any white space -> [0x3B, 0x65].  TypeError when it is no hex."""
    try:
        return list(bytes.fromhex("".join(bytestring.split())))
    except (ValueError, AttributeError):
        raise TypeError("not a string representing a list of bytes")
