"""A PN532 on a serial line (HSU) or on I2C: one command, its ACK, its answer, each in its time.

A command that reaches a card is written once and never again: an answer that was garbled on the
way is asked for again by NACK, which the chip serves from its buffer (UM0701-02 6.2.1.4).  An
answer counts only after the ACK of its own command: one that came twice never answers the next.
"""

from __future__ import annotations

import contextlib
import time
from typing import Protocol

from firmware.drivers import pn532
from firmware.drivers.i2c import I2cDevice, open_i2c
from firmware.drivers.uart import Uart, open_uart
from firmware.outcome import TransportError

BAUD = 115_200
I2C_ADDRESS = 0x24
ACK_S = 0.1  # the chip gives it within 15 ms
ANSWER_S = 1.0  # for commands that ask no card
GAP_S = 0.1  # a frame that stops for so long has lost its end
_TRIES = 2  # of a command that may be repeated
_NACKS = 2  # answers asked for again, in one command
_READY = 0x01
_READY_POLL_S = 0.002
# HSU wakes on 55; the chip needs up to 2 ms before it reads on (7.2.11, 6.3.2.3)
_WAKE_UP = b"\x55\x55" + bytes(14)
_LONGEST = 3 + 5 + pn532.MAX_FRAME + 2


class Link(Protocol):
    """Bytes to and from the chip.  Every method raises TransportError."""

    name: str

    def wake(self) -> None: ...
    def write(self, frame: bytes) -> None: ...
    def read(self, timeout_s: float) -> bytes:
        """Some bytes, b"" when the time is over."""

    def drop_input(self) -> None:
        """Forget what came of itself."""

    def close(self) -> None: ...


class HsuLink:
    def __init__(self, uart: Uart):
        self.name = uart.name
        self._uart = uart

    def wake(self) -> None:
        self._uart.write(_WAKE_UP)

    def write(self, frame: bytes) -> None:
        self._uart.write(frame)

    def read(self, timeout_s: float) -> bytes:
        return self._uart.read(_LONGEST, timeout_s)

    def drop_input(self) -> None:
        for _ in range(8):  # a line that never falls quiet is found out by the next answer
            if not self._uart.read(4096, 0):
                return

    def close(self) -> None:
        self._uart.close()


class I2cLink:
    """Each read begins with a byte that says whether the chip has a frame (6.3.2)."""

    def __init__(self, device: I2cDevice):
        self.name = device.name
        self._device = device

    def wake(self) -> None:
        """A sleeping chip does not acknowledge its address: the first write only wakes it."""
        with contextlib.suppress(TransportError):
            self._device.write(pn532.ACK)
        time.sleep(_READY_POLL_S)

    def write(self, frame: bytes) -> None:
        self._device.write(frame)

    def read(self, timeout_s: float) -> bytes:
        ends = time.monotonic() + timeout_s
        while self._device.read(1)[0] != _READY:
            if time.monotonic() >= ends:
                return b""
            time.sleep(_READY_POLL_S)
        return pn532.first_frame(self._device.read(1 + _LONGEST)[1:])

    def drop_input(self) -> None:
        pass  # the chip drops it itself when a command comes

    def close(self) -> None:
        self._device.close()


def open_link(device: str) -> Link:
    """device: "/dev/i2c-N" is a bus, anything else a serial line.  Raises TransportError."""
    if device.startswith("/dev/i2c-"):
        return I2cLink(open_i2c(device, I2C_ADDRESS))
    return HsuLink(open_uart(device, BAUD))


class Chip:
    """Commands and answers over a link; used by one thread."""

    def __init__(self, link: Link):
        self._link = link
        self._parser = pn532.FrameParser()
        self.name = link.name

    def wake(self) -> None:
        self._link.wake()

    def close(self) -> None:
        self._link.close()

    def call(
        self, code: int, data: bytes = b"", deadline_s: float = ANSWER_S, *, once: bool = False
    ) -> bytes:
        """The answer's data, without its code.  once: the command is never written again.

        Raises TransportError: "reader" when the chip does not take or understand the command,
        "silent" when it took it and gave no answer in time.
        """
        frame = pn532.command_frame(code, data)
        ends = time.monotonic() + deadline_s
        for _ in range(1 if once else _TRIES):
            self._parser.clear()
            self._link.drop_input()
            self._link.write(frame)
            answer = self._answer(code, ends, deadline_s if once else ACK_S)
            if answer is not None:
                return answer
        raise TransportError(f"the PN532 at {self.name} does not take a command: check its wires")

    def _answer(self, code: int, ends: float, ack_s: float) -> bytes | None:
        """None when the chip gave no ACK in ack_s.

        What comes before the ACK answers an earlier command: a line keeps the order.
        """
        ack_ends = min(ends, time.monotonic() + ack_s)
        is_taken, nacks = False, 0
        while True:
            now = time.monotonic()
            left_s = (ends if is_taken else ack_ends) - now
            if left_s <= 0:
                break
            data = self._link.read(min(left_s, GAP_S) if self._parser.is_inside else left_s)
            frames = self._parser.feed(data)
            if not data and self._parser.is_inside and time.monotonic() < ends:
                self._parser.clear()
                frames = [pn532.Frame(pn532.KIND_DAMAGED)]
            for frame in frames:
                is_answer = frame.kind == pn532.KIND_ANSWER and frame.body[0] == code + 1
                if is_answer and is_taken:
                    return frame.body[1:]
                if frame.kind in (pn532.KIND_SYNTAX, pn532.KIND_NACK):
                    raise TransportError(f"the PN532 at {self.name} refuses command {code:02X}")
                if frame.kind == pn532.KIND_ACK:
                    is_taken = True
                elif frame.kind == pn532.KIND_DAMAGED and is_taken and nacks < _NACKS:
                    nacks += 1
                    self._parser.clear()
                    self._link.write(pn532.NACK)
                    break
        if not is_taken:
            return None
        self._abort()
        raise TransportError(f"no answer of the PN532 at {self.name} in time", "silent")

    def _abort(self) -> None:
        """An ACK from the host ends what the chip is doing (6.2.1.3)."""
        with contextlib.suppress(TransportError):
            self._link.write(pn532.ACK)
