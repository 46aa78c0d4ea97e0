"""Secrets that cannot be printed.

`Pin` and `Key` show a length only, compare in constant time, refuse to be pickled or copied, and
overwrite their buffer when their `with` ends.  Python may still hold short-lived copies (the bytes
of the APDU that carries a PIN): they are dropped at once and reach no log; see docs/security.md.
"""

from __future__ import annotations

import hmac
from types import TracebackType
from typing import NoReturn, Self


def wipe(buffer: bytearray, *, keep_length: bool = False) -> None:
    """Overwrite with zeros where it lies, then empty it."""
    for at in range(len(buffer)):
        buffer[at] = 0
    if not keep_length:
        buffer.clear()


class _Secret:
    __slots__ = ("_buffer",)

    def __init__(self, value: bytes | bytearray):
        self._buffer = bytearray(value)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.wipe()

    def wipe(self) -> None:
        """Overwrite the buffer with zeros, then empty it."""
        wipe(self._buffer)

    @property
    def is_wiped(self) -> bool:
        return not self._buffer

    def reveal(self) -> bytes:
        """The secret's bytes, for the one command that needs them; raises ValueError once wiped."""
        if not self._buffer:
            raise ValueError("the secret was wiped")
        return bytes(self._buffer)

    def __len__(self) -> int:
        return len(self._buffer)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Secret) and hmac.compare_digest(self._buffer, other._buffer)

    __hash__ = None  # type: ignore[assignment]  # a secret is no dictionary key

    def __repr__(self) -> str:
        return f"<{type(self).__name__}, {len(self._buffer)} bytes>"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return repr(self)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not copied or pickled")


class Key(_Secret):
    """A 16-byte (3DES two-key, SM4) or 8-byte (DES) key."""


class Password(_Secret):
    """What an operator typed to log on, UTF-8."""


class Pin(_Secret):
    """A card holder's PIN as the card takes it: cn, 2 to 8 bytes, an odd digit padded with F."""

    @classmethod
    def from_digits(cls, digits: str) -> Pin:
        """4 to 16 decimal digits (SPEC-P8).  Raises ValueError without echoing them."""
        if not digits.isascii():
            raise ValueError("a PIN has 4 to 16 decimal digits")
        return cls.from_ascii(bytearray(digits, "ascii"))

    @classmethod
    def from_ascii(cls, digits: bytearray) -> Pin:
        """As from_digits; leaves no other copy than the Pin's."""
        if not (4 <= len(digits) <= 16 and digits.isdigit()):
            raise ValueError("a PIN has 4 to 16 decimal digits")
        pin = cls(bytes((len(digits) + 1) // 2))
        for at in range(0, len(digits), 2):
            low = digits[at + 1] - 0x30 if at + 1 < len(digits) else 0x0F
            pin._buffer[at // 2] = (digits[at] - 0x30) << 4 | low
        return pin
