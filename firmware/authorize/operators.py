"""Who may log on at this terminal: the office's signed list (docs/records.md)."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field

from firmware.secret import Password

RIGHT_PAY, RIGHT_PIN, RIGHT_BLOCK, RIGHT_TAMPER = "pay", "pin", "block", "tamper"
"""Take a payment; unblock and reload a PIN; block a card or one of its applications; say that a
case that was opened is as it should be."""

MAX_CODE = 32
_SALT, _DIGEST = 16, 32
_MAX_MEMORY = 64 << 20  # scrypt's, in bytes
_MOST = 1000


@dataclass(frozen=True)
class Operator:
    code: str
    name: str
    rights: frozenset[str]
    salt: bytes = field(repr=False)
    digest: bytes = field(repr=False)


class Operators:
    """number: of the signed file, 0 = none yet.  Empty by default: nobody can log on."""

    def __init__(self, number: int = 0, body: object = None):
        """body: {1: [n, r, p], 2: [[code, name, [right, ...], salt 16, scrypt 32], ...]}.

        Rights this release does not know are kept and allow nothing.  Raises ValueError when the
        body has another shape, a code comes twice, or scrypt would take more than 64 MiB.
        """
        self.number = number
        self._cost = (2, 1, 1)
        self._by_code: dict[str, Operator] = {}
        if body is None and number == 0:
            return
        match body:
            case {1: [int() as n, int() as r, int() as p], 2: [*rows]} if len(rows) <= _MOST:
                self._cost = _checked_cost(n, r, p)
            case _:
                raise ValueError(f"an operator list is a map of scrypt's cost and {_MOST} people")
        for row in rows:
            found = _operator(row)
            if found.code in self._by_code:
                raise ValueError("an operator's code comes twice")
            self._by_code[found.code] = found

    def find(self, code: str) -> Operator | None:
        return self._by_code.get(code)

    def is_password_of(self, found: Operator | None, password: Password) -> bool:
        """Takes as long for somebody who is not on the list (RFC 7914)."""
        n, r, p = self._cost
        digest = hashlib.scrypt(
            password.reveal(),
            salt=bytes(_SALT) if found is None else found.salt,
            n=n,
            r=r,
            p=p,
            maxmem=2 * _MAX_MEMORY,
            dklen=_DIGEST,
        )
        return found is not None and hmac.compare_digest(digest, found.digest)

    def __len__(self) -> int:
        return len(self._by_code)


def _checked_cost(n: int, r: int, p: int) -> tuple[int, int, int]:
    if n < 2 or n & (n - 1) or r < 1 or not 1 <= p <= 4 or 128 * n * r > _MAX_MEMORY:
        raise ValueError("scrypt's cost: n a power of two, p at most 4, 128 n r at most 64 MiB")
    return n, r, p


def _operator(row: object) -> Operator:
    match row:
        case [str() as code, str() as name, [*rights], bytes() as salt, bytes() as digest] if (
            1 <= len(code) <= MAX_CODE
            and code.isprintable()
            and all(isinstance(each, str) for each in rights)
            and (len(salt), len(digest)) == (_SALT, _DIGEST)
        ):
            return Operator(code, name, frozenset(map(str, rights)), salt, digest)
    raise ValueError("an operator is [code, name, [right, ...], salt 16, scrypt 32]")
