"""BER-TLV (ISO 7816-4 5.2.2) and the card's simple TLV records (V2.0: tag 1, length 1).

MicroPython-clean.
"""

_MAX_DEPTH = 8


class TlvError(ValueError):
    """The bytes are not the TLV they should be; nothing was decoded."""


def _tag_at(raw: bytes, at: int) -> "tuple[int, int]":
    tag = raw[at]
    at += 1
    if tag & 0x1F == 0x1F:
        while True:
            if at >= len(raw) or tag > 0xFFFF:
                raise TlvError("a tag is cut off or longer than three bytes")
            tag = tag << 8 | raw[at]
            at += 1
            if not tag & 0x80:
                break
    return tag, at


def _length_at(raw: bytes, at: int) -> "tuple[int, int]":
    if at >= len(raw):
        raise TlvError("a length is missing")
    length = raw[at]
    at += 1
    if length == 0x81 or length == 0x82:
        width = length & 0x0F
        if at + width > len(raw):
            raise TlvError("a length is cut off")
        length = int.from_bytes(raw[at : at + width], "big")
        at += width
    elif length > 0x7F:
        raise TlvError("a length form that no card uses: %02X" % length)
    return length, at


def parse(raw: bytes) -> "list[tuple[int, bytes]]":
    """One level of BER-TLV: [(tag, value)].  Raises TlvError on anything left over or cut off."""
    items = []
    at = 0
    while at < len(raw):
        tag, at = _tag_at(raw, at)
        length, at = _length_at(raw, at)
        if at + length > len(raw):
            raise TlvError("the value of tag %X is cut off" % tag)
        items.append((tag, raw[at : at + length]))
        at += length
    return items


def find(raw: bytes, *path: int) -> "bytes | None":
    """The value below a path of tags, e.g. find(fci, 0x6F, 0xA5, 0x88); None when absent."""
    if len(path) > _MAX_DEPTH:
        raise TlvError("a path deeper than any card's")
    for tag in path:
        for found, value in parse(raw):
            if found == tag:
                raw = value
                break
        else:
            return None
    return raw


def encode(tag: int, value: bytes) -> bytes:
    """BER-TLV with the shortest length form; value 0..65535 bytes."""
    width = 1 if tag < 0x100 else 2 if tag < 0x10000 else 3
    head = tag.to_bytes(width, "big")
    size = len(value)
    if size < 0x80:
        return head + bytes((size,)) + value
    if size < 0x100:
        return head + bytes((0x81, size)) + value
    if size < 0x10000:
        return head + b"\x82" + size.to_bytes(2, "big") + value
    raise TlvError("a value over 65535 bytes")


def record_value(record: bytes, tag: int) -> bytes:
    """The value of one simple-TLV record; raises TlvError unless it is exactly that item.

    Bytes after the item are tolerated only as padding 00 or FF (a 1.0 card pads its records).
    """
    if len(record) < 2 or record[0] != tag:
        raise TlvError("the record does not hold tag %02X" % tag)
    length = record[1]
    value = record[2 : 2 + length]
    if len(value) != length:
        raise TlvError("the value of tag %02X is cut off" % tag)
    if record[2 + length :].strip(b"\x00\xff"):
        raise TlvError("bytes follow the item of tag %02X" % tag)
    return value
