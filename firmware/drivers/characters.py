"""Characters of ISO/IEC 7816-3 7 over a UART: 8 bits and parity, one line for both directions.

I/O is one wire: what we send comes back, and is taken off and compared.  The UART marks a character
with a wrong parity or stop bit (PARMRK); it cannot pull the line low to have it sent again, as 7.3
has it for T=0, nor see that the card asks for that.
"""

from __future__ import annotations

import os
import select
import termios
import time

from firmware.drivers.uart import Uart
from firmware.outcome import TransportError

# A character with its guard time: start, 8 bits, parity, 2 stop bits (7.2).
ETU = 12
# What Linux, a USB adapter and a busy machine may add to any wait.
LATENCY_S = 0.25
_AT_ONCE = 4096
_NO_ECHO = (
    "does not bring back what is sent: join RX and TX to the card's I/O, or write echo=off "
    "in board.toml"
)
# Inverse convention (8.1): A is 1, and the first bit is the highest.
_INVERTED = bytes(int(f"{each:08b}"[::-1], 2) ^ 0xFF for each in range(256))


class DamagedCharacter(Exception):
    """Wrong parity, no stop bit, or an echo other than what was sent.  Shows no data."""


class Characters:
    """One UART; used by one thread at a time.  Every method raises TransportError.

    has_echo: what is sent comes back, because RX and TX are joined.
    """

    def __init__(self, uart: Uart, *, has_echo: bool):
        self.name = uart.name
        self._uart = uart
        self._has_echo = has_echo
        self._marks = Marks()
        self._ahead = b""  # received, not yet asked for
        self._is_inverse = False
        self._is_checked = True
        self.etu_s = 1.0

    def start(self, baud: int) -> None:
        """As before each reset: this rate, direct convention, nothing received."""
        self._is_inverse = False
        self._is_checked = True
        self.set_rate(baud)
        self.discard()

    def set_rate(self, baud: int) -> None:
        """etu a second from now on."""
        self.etu_s = 1 / baud
        self._uart.configure(baud, "O" if self._is_inverse else "E")
        self._mark()

    def set_inverse(self) -> None:
        """Inverse convention: logical and even to the card is odd to the UART.

        Parity is not checked until check_parity(): the first characters may come before the switch.
        """
        self._is_inverse = True
        self._is_checked = False
        self._ahead = self._ahead.translate(_INVERTED)
        self.set_rate(round(1 / self.etu_s))

    def check_parity(self) -> None:
        self._is_checked = True

    def first(self, timeout_s: float) -> bytes:
        """One character as on the line, whatever its parity; b"" when the time is over.

        What came with it is read later, and checked.
        """
        self._is_checked = False
        try:
            return self._read(timeout_s, 1)
        finally:
            self._is_checked = True

    def receive(self, maximum: int, timeout_s: float) -> bytes:
        """1..maximum characters as soon as there are any, b"" when the time is over.

        Raises DamagedCharacter; all that had come with it is dropped.
        """
        if not self._ahead:
            self._ahead = self._read(timeout_s)
        found, self._ahead = self._ahead[:maximum], self._ahead[maximum:]
        return found

    def send(self, data: bytes, guard_etu: int = 0) -> None:
        """All of it; guard_etu: so much longer between two characters (N of TC1, 8.3).

        Raises DamagedCharacter when something else was on the line than was sent.
        """
        if not guard_etu:
            self._send(data)
            return
        for each in data:
            self._send(bytes((each,)))
            time.sleep(guard_etu * self.etu_s + (0 if self._has_echo else ETU * self.etu_s))

    def discard(self) -> None:
        """Whatever has come."""
        self._ahead = b""
        self._marks = Marks()
        try:
            termios.tcflush(self._uart.fileno(), termios.TCIFLUSH)
        except termios.error as error:
            raise self._gone(error) from None

    def _send(self, data: bytes) -> None:
        self._uart.write(data.translate(_INVERTED) if self._is_inverse else data)
        if not self._has_echo:
            return
        ends_s = time.monotonic() + len(data) * ETU * self.etu_s + LATENCY_S
        came = b""
        while len(came) < len(data):
            part = self.receive(len(data) - len(came), max(ends_s - time.monotonic(), 0))
            if not part:
                raise TransportError(f"{self.name} {_NO_ECHO}")
            came += part
            if not data.startswith(came):
                raise DamagedCharacter(f"two talked at once, or the line {_NO_ECHO}")

    def _read(self, timeout_s: float, at_once: int = _AT_ONCE) -> bytes:
        """What there is once there is something.  A mark may come in pieces, so that nothing is
        left of what was read; then the rest is waited for."""
        ends_s = time.monotonic() + timeout_s
        number = self._uart.fileno()
        while True:
            try:
                ready, _, _ = select.select([number], [], [], max(ends_s - time.monotonic(), 0))
                raw = os.read(number, at_once) if ready else b""
            except (OSError, ValueError) as error:
                raise self._gone(error) from None
            if not ready:
                return b""
            if not raw:
                raise self._gone("it was unplugged")
            found, is_damaged = self._marks.taken_off(raw)
            if is_damaged and self._is_checked:
                self.discard()
                raise DamagedCharacter("a character came with wrong parity")
            if found:
                return found.translate(_INVERTED) if self._is_inverse else found

    def _mark(self) -> None:
        """INPCK and PARMRK, which pyserial takes away with each change: a bad character X comes
        as FF 00 X, a good FF as FF FF (termios(3))."""
        try:
            number = self._uart.fileno()
            attributes = termios.tcgetattr(number)
            attributes[0] |= termios.INPCK | termios.PARMRK
            attributes[0] &= ~(termios.IGNPAR | termios.IGNBRK | termios.BRKINT | termios.ISTRIP)
            termios.tcsetattr(number, termios.TCSANOW, attributes)
        except termios.error as error:
            raise self._gone(error) from None

    def _gone(self, why: object) -> TransportError:
        return TransportError(f"the line {self.name} failed: {why}; check the cable")


class Marks:
    """Takes the marks of PARMRK out of what was read, however it is cut."""

    def __init__(self) -> None:
        self._begun = b""

    def taken_off(self, raw: bytes) -> tuple[bytes, bool]:
        """(characters, bad ones included; whether one was bad)."""
        raw = self._begun + raw
        self._begun = b""
        if b"\xff" not in raw:
            return raw, False
        found = bytearray()
        is_damaged = False
        at = 0
        while at < len(raw):
            if raw[at] != 0xFF:
                found.append(raw[at])
                at += 1
                continue
            mark = raw[at : at + 3]
            if mark[1:2] == b"\xff":
                found.append(0xFF)
                at += 2
            elif len(mark) == 3:
                found.append(mark[2])
                is_damaged = True
                at += 3
            else:
                self._begun = mark
                break
        return bytes(found), is_damaged
