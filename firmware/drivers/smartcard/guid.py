"""GUIDs as 16 bytes: the first three fields are little-endian (RFC 9562, COM)."""

_ORDER = (3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15)
_FIELDS = (4, 6, 8, 10, 16)


def strToGUID(s):
    """ "{AD4F1667-EA75-4124-84D4-641B3B197C65}" -> [0x67, 0x16, ...].  ValueError for others."""
    digits = s.strip("{}").replace("-", "")
    if len(digits) != 32:
        raise ValueError("a GUID has 32 hex digits")
    value = bytes.fromhex(digits)
    return [value[at] for at in _ORDER]


def GUIDToStr(g):
    """The reverse of strToGUID.  ValueError unless there are 16 bytes."""
    if len(g) != 16:
        raise ValueError("a GUID has 16 bytes")
    digits = "".join(["%02X" % g[at] for at in _ORDER])
    fields = []
    start = 0
    for end in _FIELDS:
        fields.append(digits[2 * start : 2 * end])
        start = end
    return "{" + "-".join(fields) + "}"
