"""The unit's end of the serial line: every question gets one answer (messages: uplink/frame.py).

Questions come ahead of their answers; they wait in the kernel's buffer while an answer is written.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from firmware.uplink import frame
from firmware.uplink.announce import Announcer
from firmware.uplink.descent import Descent
from firmware.uplink.frame import FrameReader, Item, Message, encode_frame
from firmware.uplink.spool import NoSuchBatch, OutOfBounds, Spool

Fields = tuple[Item, ...]

_READ_SIZE = 4096
_READ_TIMEOUT_S = 0.5  # how late a stop is noticed


class Uart(Protocol):
    """drivers/uart.py.  Every method raises TransportError when the line itself is gone."""

    def read(self, max_bytes: int, timeout_s: float, /) -> bytes:
        """What came, at most that many bytes; empty when nothing came in time."""

    def write(self, data: bytes, /) -> object: ...

    def close(self) -> None: ...


class NotUnderstood(Exception):
    """A question that this unit does not know, or with the wrong fields."""


class SerialServer:
    """Answers one line.  Holds nothing that a restart could lose."""

    def __init__(self, unit: str, spool: Spool):
        self._unit = unit
        self._spool = spool
        self._reader = FrameReader()
        self._descent = Descent(spool)
        self._announcer = Announcer(spool.pending)
        self._answers: dict[int, Callable[[Fields], list[Item]]] = {
            frame.HELLO: self._hello,
            frame.NEXT: self._next,
            frame.READ: self._read,
            frame.RECEIPT: self._receipt,
            frame.DOWN: self._down,
        }

    @property
    def damaged_frames(self) -> int:
        """How often the line spoiled a frame (outcome FRAME_DAMAGED); the asker repeats."""
        return self._reader.damaged

    def serve(self, uart: Uart, stop: threading.Event) -> None:
        """Until `stop` is set; raises TransportError when the line is gone."""
        while not stop.is_set():
            for reply in self.replies(uart.read(_READ_SIZE, _READ_TIMEOUT_S)):
                uart.write(reply)
                self._announcer.asked(time.monotonic())
            batch = self._announcer.due(time.monotonic())
            if batch is not None:
                uart.write(encode_frame(Message(frame.ANNOUNCE, batch, (self._unit, batch))))

    def replies(self, data: bytes) -> Iterator[bytes]:
        """A frame for every question that these bytes complete."""
        for message in self._reader.feed(data):
            if message.kind < frame.ANSWER and message.kind != frame.ANNOUNCE:
                yield encode_frame(self.answer(message))

    def answer(self, message: Message) -> Message:
        """The answer to a question, never an exception: an odd one must not end the line."""
        kind, ident, fields = message
        try:
            if kind not in self._answers:
                raise NotUnderstood(f"no question {kind}")
            return Message(frame.ANSWER + kind, ident, tuple(self._answers[kind](fields)))
        except NotUnderstood as error:
            return _error(ident, frame.NOT_UNDERSTOOD, str(error))
        except NoSuchBatch as error:
            return _error(ident, frame.NO_SUCH_BATCH, f"not here: {error}")
        except OutOfBounds as error:
            return _error(ident, frame.OUT_OF_BOUNDS, str(error))
        except OSError as error:
            return _error(ident, frame.STORAGE_FAILED, error.strerror or "storage failed")

    def _hello(self, fields: Fields) -> list[Item]:
        _take(fields)
        pending = self._spool.pending()
        oldest, newest = (pending[0], pending[-1]) if pending else (None, None)
        return [self._unit, oldest, newest, self.damaged_frames]

    def _next(self, fields: Fields) -> list[Item]:
        (after,) = _take(fields, int)
        batch = self._spool.next_after(after)
        return [None, 0, b""] if batch is None else [batch.number, batch.size, batch.digest]

    def _read(self, fields: Fields) -> list[Item]:
        number, offset, length = _take(fields, int, int, int)
        if length > frame.MAX_CHUNK:
            raise OutOfBounds(f"a chunk has at most {frame.MAX_CHUNK} bytes")
        return [number, offset, self._spool.read(number, offset, length)]

    def _receipt(self, fields: Fields) -> list[Item]:
        number, receipt = _take(fields, int, bytes)
        self._spool.put_receipt(number, receipt)
        return [number]

    def _down(self, fields: Fields) -> list[Item]:
        what, size, digest, offset, chunk = _take(fields, str, int, bytes, int, bytes)
        held, is_kept = self._descent.take(what, size, digest, offset, chunk)
        return [what, held, int(is_kept)]


def _take(fields: Fields, *types: type) -> tuple[Any, ...]:
    """The fields, when they are of these types; else NotUnderstood."""
    if [type(each) for each in fields] != list(types):
        raise NotUnderstood("the question has other fields")
    return fields


def _error(ident: int, number: int, text: str) -> Message:
    return Message(frame.ERROR, ident, (number, text))
