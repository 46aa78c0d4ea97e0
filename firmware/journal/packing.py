"""The records of a batch packed for the line: what is the same in each of them is sent once.

Packed form (docs/records.md, Batch): canonical CBOR `[heads, which, whole, payloads, signatures]`.
A record's `previous` is left out wherever it is the digest of the record before.  Unpacking gives
the same bytes again; `pack` leaves out nothing that would not come back.
"""

from __future__ import annotations

import hashlib
import itertools
import zlib
from typing import Any, NamedTuple

from firmware.journal import cose
from firmware.journal.cose import CoseError

CODEC_NONE = 0
CODEC_ZLIB = 1  # RFC 1950
MAX_UNPACKED = 4 * 1024 * 1024  # bytes
MAX_HEADS = 255

_LEVEL = 9  # fixed: a batch is packed to the same bytes each time
MARK = b"\x08\x58\x20"  # key 8, and a byte string of 32
_DIGEST = 32
_SIGNATURE = 64


class PackingError(ValueError):
    """Bytes that are no packed records, or records that cannot be packed."""


class Unpacked(NamedTuple):
    """raws: the records' exact bytes, oldest first; digests: their SHA-256."""

    raws: list[bytes]
    digests: list[bytes]


# --- packing ---


def pack(raws: list[bytes]) -> bytes:
    """The packed form of records (tagged COSE_Sign1), oldest first; raises PackingError."""
    heads: dict[tuple[bytes, bytes], int] = {}
    which, whole, payloads, signatures = bytearray(), [], [], bytearray()
    before: bytes | None = None
    for at, raw in enumerate(raws):
        try:
            protected, unprotected, payload, signature = cose.parts1(raw)
        except CoseError as error:
            raise PackingError(f"record at {at}: {error}") from None
        head = (protected, unprotected[cose.HEADER_KEY_ID])
        which.append(heads.setdefault(head, len(heads)))
        signatures += signature
        short = None if before is None else _without(payload, before)
        if short is None:
            whole.append(at)
        payloads.append(payload if short is None else short)
        before = hashlib.sha256(raw).digest()
        if len(heads) > MAX_HEADS:
            raise PackingError("signed in too many ways for one batch")
    packed = [list(map(list, heads)), bytes(which), whole, payloads, bytes(signatures)]
    return cose.encode(packed)


def _without(payload: bytes, digest: bytes) -> bytes | None:
    """The payload without `previous`; None unless that is this digest, where it is looked for."""
    at = payload.find(MARK) + len(MARK)
    if at < len(MARK) or payload[at : at + _DIGEST] != digest:
        return None
    return payload[:at] + payload[at + _DIGEST :]


def compress(packed: bytes) -> tuple[int, bytes]:
    """(codec, bytes), the same each time."""
    return CODEC_ZLIB, zlib.compress(packed, _LEVEL)


# --- unpacking ---


def decompress(codec: int, data: bytes) -> bytes:
    """The packed records, at most MAX_UNPACKED bytes; raises PackingError."""
    if codec == CODEC_NONE:
        packed = data
    elif codec == CODEC_ZLIB:
        stream = zlib.decompressobj()
        try:
            packed = stream.decompress(data, MAX_UNPACKED + 1)
        except zlib.error:
            raise PackingError("not a zlib stream") from None
        if len(packed) <= MAX_UNPACKED and (not stream.eof or stream.unused_data):
            raise PackingError("the zlib stream is cut short, or other bytes follow")
    else:
        raise PackingError(f"codec {codec} is not known")
    if len(packed) > MAX_UNPACKED:
        raise PackingError(f"more than {MAX_UNPACKED} bytes")
    return packed


def unpack(packed: bytes) -> Unpacked:
    """The records and their digests, nothing verified; raises PackingError."""
    heads, which, whole, payloads, signatures = parts_of(packed)
    starts = [start_of(*head) for head in heads]
    given = set(whole)
    sha256 = hashlib.sha256
    raws: list[bytes] = []
    digests: list[bytes] = []
    digest = b""
    at = 0
    for place, payload in enumerate(payloads):
        if place not in given:
            cut = payload.find(MARK) + 3
            if cut < 3:
                raise PackingError(f"record at {place}: no place for the digest left out")
            payload = payload[:cut] + digest + payload[cut:]
        length = len(payload)
        head = b"Y" + length.to_bytes(2, "big") if 255 < length <= 65535 else bytes_head(length)
        end = at + _SIGNATURE
        raw = starts[which[place]] + head + payload + b"\x58\x40" + signatures[at:end]
        at = end
        digest = sha256(raw).digest()
        raws.append(raw)
        digests.append(digest)
    return Unpacked(raws, digests)


def parts_of(packed: bytes) -> tuple[list[Any], bytes, list[int], list[bytes], bytes]:
    """The five parts, their types, lengths and order right; raises PackingError."""
    try:
        parts = cose.decode(packed)
    except CoseError as error:
        raise PackingError(str(error)) from None
    match parts:
        case [[*heads], bytes() as which, [*whole], [*payloads], bytes() as signatures]:
            pass
        case _:
            raise PackingError("not the five parts of packed records")
    if not 1 <= len(heads) <= MAX_HEADS or not all(map(_is_head, heads)):
        raise PackingError("the heads are wrong")
    if len({tuple(each) for each in heads}) != len(heads):
        raise PackingError("a head comes twice")
    if set(map(type, payloads)) - {bytes}:
        raise PackingError("a payload is no byte string")
    if len(which) != len(payloads) or len(signatures) != _SIGNATURE * len(payloads):
        raise PackingError("the parts are of different lengths")
    if not payloads or max(which) >= len(heads):
        raise PackingError("no records, or a head that is not there")
    if set(map(type, whole)) - {int} or whole[:1] != [0] or whole[-1] >= len(payloads):
        raise PackingError("the list of payloads given whole is wrong")
    if any(one >= two for one, two in itertools.pairwise(whole)):
        raise PackingError("the list of payloads given whole does not ascend")
    return heads, which, whole, payloads, signatures


def _is_head(value: object) -> bool:
    match value:
        case [bytes(), bytes() as key_id]:
            return len(key_id) == cose.KEY_ID_LENGTH
    return False


def start_of(protected: bytes, key_id: bytes) -> bytes:
    """A record's bytes up to its payload."""
    return b"\xd2\x84" + bytes_head(len(protected)) + protected + b"\xa1\x04\x48" + key_id


def bytes_head(length: int) -> bytes:
    """The head of a byte string in its shortest form (RFC 8949 4.2.1)."""
    if length < 24:
        return bytes([0x40 + length])
    if length <= 0xFF:
        return bytes([0x58, length])
    if length <= 0xFFFF:
        return b"\x59" + length.to_bytes(2, "big")
    return b"\x5a" + length.to_bytes(4, "big")
