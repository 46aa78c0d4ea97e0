"""A serial line, by pyserial: bytes in, bytes out, each wait with a deadline.

pyserial raises DTR and RTS itself and forgives a pseudo-terminal (ENOTTY) that has none.
"""

from __future__ import annotations

import serial

from firmware.outcome import TransportError

WRITE_S = 10.0


def open_uart(device: str, baud: int) -> Uart:
    """device: path, 8N1, no flow control, held exclusively.  Raises TransportError, and ValueError
    for a baud rate that the device cannot do."""
    try:
        return Uart(
            serial.Serial(device, baud, timeout=0, write_timeout=WRITE_S, exclusive=True), device
        )
    except serial.SerialException as error:
        raise TransportError(f"{error}: check the cable and the device in board.toml") from None


class Uart:
    """Read by one thread, written by one thread."""

    def __init__(self, line: serial.Serial, device: str):
        self._line = line
        self.name = device

    def read(self, maximum: int, timeout_s: float) -> bytes:
        """1..maximum bytes as soon as there are any, b"" when the time is over.

        Raises TransportError when the line is gone.
        """
        try:
            if self._line.timeout != timeout_s:
                self._line.timeout = timeout_s
            first = self._line.read(1)
            if not first:
                return b""
            waiting = min(self._line.in_waiting, maximum - 1)
            return first + self._line.read(waiting) if waiting > 0 else first
        except (serial.SerialException, OSError, TypeError) as error:
            raise self._gone(error) from None

    def write(self, data: bytes) -> None:
        """All of it.  Raises TransportError, kind "silent" when the other side takes nothing."""
        try:
            self._line.write(data)
        except serial.SerialTimeoutException:
            raise TransportError(f"{self.name} takes no bytes for {WRITE_S} s", "silent") from None
        except (serial.SerialException, OSError, TypeError) as error:
            raise self._gone(error) from None

    def close(self) -> None:
        """Twice is once."""
        self._line.close()

    def _gone(self, error: Exception) -> TransportError:
        return TransportError(f"the line {self.name} failed: {error}; check the cable")
