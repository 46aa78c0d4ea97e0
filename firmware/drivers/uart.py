"""A serial line, by pyserial: bytes in, bytes out, each wait with a deadline.

pyserial raises DTR and RTS itself and forgives a pseudo-terminal (ENOTTY) that has none; so do the
modem lines here.
"""

from __future__ import annotations

import contextlib
import errno
import os
import termios

import serial

from firmware.outcome import TransportError

WRITE_S = 10.0
_HINTS = {
    errno.EACCES: "this user must be in its group (dialout)",
    errno.EAGAIN: "it is locked: another program or a console has it",
}


def open_uart(device: str, baud: int, parity: str = "N", stop_bits: int = 1) -> Uart:
    """device: path, 8 bits, no flow control, held exclusively.  parity: "N", "E" or "O".

    Raises TransportError, also for a rate that the device cannot do and for one that goes while it
    is opened.
    """
    try:
        line = serial.Serial(
            device,
            baud,
            parity=parity,
            stopbits=stop_bits,
            timeout=0,
            write_timeout=WRITE_S,
            exclusive=True,
        )
        return Uart(line, device)
    except (serial.SerialException, termios.error, ValueError) as error:
        number = getattr(error, "errno", None)
        why = os.strerror(number) if number else str(error)
        hint = _HINTS.get(number or 0, "check the cable and the device in board.toml")
        raise TransportError(f"{device} cannot be opened ({why}): {hint}") from None


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

    def configure(self, baud: int, parity: str) -> None:
        """Another rate and parity from now on; what has not yet left may leave at either.

        Raises TransportError.
        """
        self.fileno()  # a closed line would only note it
        for name, value in (("parity", parity), ("baudrate", baud)):
            try:
                setattr(self._line, name, value)
            except (serial.SerialException, OSError, ValueError) as error:
                raise self._gone(error) from None
            except termios.error as error:
                if not self._is_pty():  # which takes no parity, and glibc says so
                    raise self._gone(error) from None

    def fileno(self) -> int:
        """Raises TransportError when the line is closed."""
        try:
            number: int = self._line.fileno()
        except (serial.SerialException, OSError) as error:
            raise self._gone(error) from None
        return number

    def _is_pty(self) -> bool:
        try:
            return os.ttyname(self.fileno()).startswith("/dev/pts/")
        except OSError:
            return False

    def set_rts(self, active: bool) -> None:
        """Quietly nothing where there is no such line."""
        with contextlib.suppress(serial.SerialException, OSError):
            self._line.rts = active

    def set_dtr(self, active: bool) -> None:
        """Quietly nothing where there is no such line."""
        with contextlib.suppress(serial.SerialException, OSError):
            self._line.dtr = active

    def carrier(self) -> bool | None:
        """DCD; None where there is no such line."""
        try:
            return bool(self._line.cd)
        except (serial.SerialException, OSError):
            return None

    def close(self) -> None:
        """Twice is once."""
        self._line.close()

    def _gone(self, error: Exception) -> TransportError:
        return TransportError(f"the line {self.name} failed: {error}; check the cable")
