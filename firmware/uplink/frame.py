"""Messages and frames of the serial line between a unit and its back office.

A message is a flat CBOR array `[kind, id, ...]` of unsigned integers (64 bits), byte strings, text
and null, in deterministic encoding (RFC 8949 4.2.1), at most MAX_MESSAGE bytes.  A frame is

    00  COBS(message  CRC-32 of the message, 4 bytes, big-endian)  00

The leading 00 ends whatever half frame or noise came before.  The CRC is that of zlib (ISO 3309);
it guards against noise, not against people: batches, receipts and files carry signatures.

The office asks, the unit answers with the same id, in the order in which it was asked.  The office
asks ahead without waiting for answers, so that the line is never idle; each asking has an id of its
own, also that of a lost question again, so that a late answer is not taken for another's.  The unit
keeps nothing between two questions but a file that is on its way down, so any question may be
repeated, by any asker, after any restart of either side.

    [1, id]                                  -> [129, id, unit, oldest, newest, damaged frames]
    [2, id, after]                           -> [130, id, batch | null, size, SHA-256 of the file]
    [3, id, batch, offset, length]           -> [131, id, batch, offset, chunk]
    [4, id, batch, receipt]                  -> [132, id, batch]
    [5, id, what, size, digest, offset, chunk] -> [133, id, what, bytes held, 1 | 0: chunk kept]
    anything wrong                           -> [255, id, error, text]

Bytes held are those without a hole, on the disk.  Of what comes behind a hole the unit keeps up to
MAX_AHEAD bytes in memory.  Unasked the unit says only, while batches wait and nobody asks,

    [6, id, unit, oldest waiting batch]

Messages of kinds from 128 on, and [6 ...], are never answered: an echo dies out.
"""

from __future__ import annotations

import zlib
from typing import NamedTuple

import cbor2
from cobs import cobs  # type: ignore[import-untyped]

HELLO = 1
NEXT = 2
READ = 3
RECEIPT = 4
DOWN = 5
ANNOUNCE = 6
ANSWER = 128  # the answer to question k has kind 128 + k
ERROR = 255

# Errors of message 255; frozen numbers.
NOT_UNDERSTOOD = 1
NO_SUCH_BATCH = 2
OUT_OF_BOUNDS = 3
STORAGE_FAILED = 4

MAX_CHUNK = 4096
MAX_MESSAGE = MAX_CHUNK + 512
MAX_RECEIPT = 4096
MAX_AHEAD = 32 << 10  # of a file coming down, behind a hole
MAX_DOWN = 16 << 20  # a stop list of a million cards has 9 MB
_CRC_SIZE = 4
# COBS adds one byte in 254, and one (Cheshire and Baker, "Consistent Overhead Byte Stuffing").
_MAX_STUFFED = MAX_MESSAGE + _CRC_SIZE + (MAX_MESSAGE + _CRC_SIZE) // 254 + 1

Item = int | bytes | str | None


class Message(NamedTuple):
    """kind and ident: 64-bit integers; fields: what follows them in the array."""

    kind: int
    ident: int
    fields: tuple[Item, ...] = ()


def encode_frame(message: Message) -> bytes:
    """The frame of one message; ValueError when it is no message or too long."""
    items = [message.kind, message.ident, *message.fields]
    _check_items(items)
    raw = _encode(items)
    if len(raw) > MAX_MESSAGE:
        raise ValueError(f"a message has at most {MAX_MESSAGE} bytes, this one {len(raw)}")
    stuffed: bytes = cobs.encode(raw + zlib.crc32(raw).to_bytes(_CRC_SIZE, "big"))
    return b"\x00" + stuffed + b"\x00"


def decode_frame(stuffed: bytes) -> Message:
    """The message of one frame without its 00 bytes; ValueError when it is damaged."""
    try:
        whole: bytes = cobs.decode(stuffed)
    except cobs.DecodeError as error:
        raise ValueError(f"no COBS: {error}") from None
    raw, crc = whole[:-_CRC_SIZE], whole[-_CRC_SIZE:]
    if len(crc) != _CRC_SIZE or zlib.crc32(raw) != int.from_bytes(crc, "big"):
        raise ValueError("the checksum is wrong")
    if len(raw) > MAX_MESSAGE:
        raise ValueError("the message is too long")
    try:
        items = cbor2.loads(raw)
    except Exception as error:  # a decoder of tags may raise anything
        raise ValueError(f"no CBOR: {type(error).__name__}") from None
    _check_items(items)
    if _encode(items) != raw:
        raise ValueError("the CBOR is not deterministic")
    return Message(items[0], items[1], tuple(items[2:]))


def _encode(items: list[Item]) -> bytes:
    return cbor2.dumps(items, canonical=True)


def _check_items(items: object) -> None:
    if type(items) is not list or len(items) < 2:
        raise ValueError("a message is an array of a kind, an id and what follows")
    for item in items:
        if type(item) is int:
            if not 0 <= item < 1 << 64:
                raise ValueError("an integer of a message has 64 bits")
        elif item is not None and type(item) not in (bytes, str):
            raise ValueError("a message holds integers, bytes, text and null")
    if type(items[0]) is not int or type(items[1]) is not int:
        raise ValueError("the kind and the id of a message are integers")


class FrameReader:
    """Bytes of a line -> messages.  Damaged frames are dropped and counted in `damaged`."""

    def __init__(self) -> None:
        self.damaged = 0
        self._held = bytearray()
        self._is_overlong = False

    def feed(self, data: bytes) -> list[Message]:
        """The messages that `data` completes; never raises, holds one frame at most."""
        messages = []
        *ended, open_piece = data.split(b"\x00")
        for piece in ended:
            self._hold(piece)
            message = self._close()
            if message is not None:
                messages.append(message)
        self._hold(open_piece)
        return messages

    def _hold(self, piece: bytes) -> None:
        if len(self._held) + len(piece) > _MAX_STUFFED:
            self._is_overlong = True
            self._held.clear()
        if not self._is_overlong:
            self._held += piece

    def _close(self) -> Message | None:
        """The message of what is held, None for the empty frame between two 00 or a damaged one."""
        stuffed, overlong = bytes(self._held), self._is_overlong
        self._held.clear()
        self._is_overlong = False
        if not stuffed and not overlong:
            return None
        try:
            return decode_frame(stuffed)
        except ValueError:  # an overlong frame holds nothing, which is no COBS frame either
            self.damaged += 1
            return None
