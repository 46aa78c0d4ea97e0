"""The office's end of a serial line (messages: firmware/uplink/frame.py): the asker, who repeats.

The one place in the office that knows pyserial.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Iterator

import serial

from firmware.uplink import frame
from firmware.uplink.frame import FrameReader, Item, Message, encode_frame
from office.errors import LinkError
from office.link import Offer, Progress, UnitInfo

DEFAULT_BAUD = 115200
TIMEOUT_S = 2.0  # a 2 KB chunk takes 0.2 s at 115200 baud
ATTEMPTS = 8


class _NoSuchBatch(LinkError):
    """The batch is not pending (any more)."""


class SerialLink:
    """One question at a time; a question keeps its id when it is repeated."""

    chunk = 2048

    def __init__(
        self,
        device: str,
        baud: int = DEFAULT_BAUD,
        *,
        timeout_s: float | None = None,
        attempts: int | None = None,
    ):
        """timeout_s, attempts: TIMEOUT_S and ATTEMPTS unless given.  Raises LinkError 701."""
        self._timeout_s = TIMEOUT_S if timeout_s is None else timeout_s
        self._attempts = ATTEMPTS if attempts is None else attempts
        try:
            self._port = serial.Serial(
                device,
                baud,
                timeout=min(self._timeout_s, 0.1),
                write_timeout=self._timeout_s,
                exclusive=True,
            )
        except (serial.SerialException, OSError, ValueError) as error:
            raise LinkError(701, f"{device}: {error}") from None
        self._reader = FrameReader()
        # A start that no earlier process of this office, and no other one, is likely to have used.
        self._ident = secrets.randbits(63)

    @property
    def damaged_frames(self) -> int:
        return self._reader.damaged

    def hello(self) -> UnitInfo:
        match self._ask(frame.HELLO):
            case (str(unit), int() | None as oldest, int() | None as newest, int(damaged)):
                return UnitInfo(unit, oldest, newest, damaged)
            case other:
                raise _odd(other)

    def next_after(self, after: int) -> Offer | None:
        match self._ask(frame.NEXT, after):
            case (None, _, _):
                return None
            case (int(batch), int(size), bytes(digest)) if batch > after and len(digest) == 32:
                return Offer(batch, size, digest)
            case other:
                raise _odd(other)

    def read_all(self, batch: int, offset: int, size: int) -> Iterator[bytes]:
        while offset < size:
            chunk = self._read(batch, offset, min(self.chunk, size - offset))
            yield chunk
            offset += len(chunk)

    def _read(self, batch: int, offset: int, length: int) -> bytes:
        match self._ask(frame.READ, batch, offset, length):
            case (int(b), int(o), bytes(chunk)) if (b, o) == (batch, offset) and (
                0 < len(chunk) <= length
            ):
                return chunk
            case other:
                raise _odd(other)

    def put_receipt(self, batch: int, receipt: bytes) -> bool:
        try:
            self._ask(frame.RECEIPT, batch, receipt)
        except _NoSuchBatch:
            return False
        return True

    def put_down(self, what: str, content: bytes, progress: Progress) -> None:
        """Goes on at the number of bytes the unit holds; a unit that restarted holds none."""
        digest, size = hashlib.sha256(content).digest(), len(content)
        held = 0
        for _ in range(2 * (size // self.chunk + 1) + self._attempts):
            chunk = content[held : held + self.chunk]
            match self._ask(frame.DOWN, what, size, digest, held, chunk):
                case (str(), int(now_held)) if now_held <= size:
                    held = now_held
                case other:
                    raise _odd(other)
            progress(held, size)
            if held == size:
                return
        raise LinkError(702, f"{what}: the unit does not keep what it is sent")

    def close(self) -> None:
        self._port.close()

    def _ask(self, kind: int, *fields: Item) -> tuple[Item, ...]:
        """The fields of the answer; raises LinkError."""
        self._ident += 1
        question = encode_frame(Message(kind, self._ident, fields))
        try:
            for _ in range(self._attempts):
                self._port.write(question)
                answer = self._wait(kind)
                if answer is not None:
                    return answer
        except (serial.SerialException, OSError) as error:
            raise LinkError(702, str(error)) from None
        raise LinkError(
            702, f"{self._attempts} x {self._timeout_s:g} s, {self.damaged_frames} damaged frames"
        )

    def _wait(self, kind: int) -> tuple[Item, ...] | None:
        """The answer to the present question, or None when the time is over."""
        deadline = time.monotonic() + self._timeout_s
        while time.monotonic() < deadline:
            for message in self._reader.feed(self._port.read(max(1, self._port.in_waiting))):
                if message.ident != self._ident:
                    continue  # a late answer to an earlier question
                if message.kind == frame.ANSWER + kind:
                    return message.fields
                if message.kind == frame.ERROR:
                    raise _error(message.fields)
        return None


def _error(fields: tuple[Item, ...]) -> Exception:
    match fields:
        case (frame.NO_SUCH_BATCH, str(text)):
            return _NoSuchBatch(703, text)
        case (int(number), str(text)):
            return LinkError(703, f"{number} {text!r}")
        case other:
            return _odd(other)


def _odd(answer: tuple[Item, ...]) -> LinkError:
    return LinkError(706, f"{answer!r:.80}")
