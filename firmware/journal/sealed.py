"""Personal values in records: under a day key that leaves this unit only wrapped for the office.

A DAY_KEY record holds the key wrapped by HPKE (RFC 9180, base mode, DHKEM(X25519, HKDF-SHA256),
HKDF-SHA256, AES-256-GCM) to the office's X25519 key.  Other records hold their personal values
under it: 12-byte nonce and AES-256-GCM, bound to unit and record number.  The key itself is in
memory only, and is forgotten when the day, the office's key or the process ends.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from firmware.journal import cose
from firmware.journal.cose import CoseError
from firmware.journal.kinds import KEY_KEY_NO, KEY_SEALED, KEY_WRAPPED, KIND_DAY_KEY
from firmware.journal.record import Record
from firmware.journal.schema import DAY_KEY, JournalError

if TYPE_CHECKING:
    from firmware.journal.store import Journal

KEY_LENGTH = 32
NONCE_LENGTH = 12
INFO = b"ssc day key"

_SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)


class SealedError(ValueError):
    """What cannot be opened: another key, another record, altered bytes, or no values inside."""


def wrap(day_key: bytes, office_key: bytes, unit: str) -> bytes:
    """enc and ciphertext; office_key: raw X25519, 32 bytes.  Raises ValueError for no such key."""
    public_key = X25519PublicKey.from_public_bytes(office_key)
    return _SUITE.encrypt(day_key, public_key, INFO + unit.encode())


def unwrap(wrapped: bytes, private_key: bytes, unit: str) -> bytes:
    """The day key; private_key: raw X25519, 32 bytes.  Raises SealedError."""
    try:
        own = X25519PrivateKey.from_private_bytes(private_key)
        found: bytes = _SUITE.decrypt(wrapped, own, INFO + unit.encode())
    except (ValueError, InvalidTag):
        raise SealedError("the day key was wrapped for another key, or is damaged") from None
    if len(found) != KEY_LENGTH:
        raise SealedError("a day key has 32 bytes")
    return found


def new_private_key() -> bytes:
    """A raw X25519 private key, 32 bytes, for an office."""
    return X25519PrivateKey.generate().private_bytes_raw()


def public_of(private_key: bytes) -> bytes:
    """Its raw public key, 32 bytes; raises ValueError."""
    return X25519PrivateKey.from_private_bytes(private_key).public_key().public_bytes_raw()


def _bound_to(unit: str, number: int) -> bytes:
    return unit.encode() + number.to_bytes(8, "big")


def seal(values: Mapping[str, Any], day_key: bytes, unit: str, number: int) -> bytes:
    """The values as they stand in record `number`; raises CoseError for what CBOR cannot hold."""
    return _seal(AESGCM(day_key), values, unit, number)


def _seal(cipher: AESGCM, values: Mapping[str, Any], unit: str, number: int) -> bytes:
    nonce = os.urandom(NONCE_LENGTH)
    return nonce + cipher.encrypt(nonce, cose.encode(dict(values)), _bound_to(unit, number))


def open_sealed(sealed: bytes, day_key: bytes, unit: str, number: int) -> dict[str, Any]:
    """The values of record `number`; raises SealedError."""
    nonce, content = sealed[:NONCE_LENGTH], sealed[NONCE_LENGTH:]
    try:
        raw = AESGCM(day_key).decrypt(nonce, content, _bound_to(unit, number))
        found = cose.decode(raw)
    except (InvalidTag, ValueError, CoseError):
        raise SealedError("not sealed in this record under this key") from None
    if not isinstance(found, dict) or not all(type(each) is str for each in found):
        raise SealedError("the values are no map of texts")
    return found


class Sealer:
    """Appends records with personal values; office_key: the office's X25519 key now, or None."""

    def __init__(self, journal: Journal, office_key: Callable[[], bytes | None]):
        self._journal = journal
        self._office_key = office_key
        self._cipher: AESGCM | None = None
        self._made_for: tuple[int, bytes, int] | None = None
        self._key_no = 0

    def append(self, kind: int, body: Mapping[int, Any], personal: Mapping[str, Any]) -> Record:
        """As Journal.append, the personal values sealed; left out where no office can open them.

        Raises what Journal.append raises.
        """
        with self._journal.lock:  # the number that the values are bound to stays the next one
            return self._journal.append(kind, {**body, **self._sealed(personal)})

    def _sealed(self, personal: Mapping[str, Any]) -> dict[int, Any]:
        office_key = self._office_key()
        if not personal or office_key is None:
            return {}
        cipher = self._day_cipher(office_key)
        number = self._journal.head()[0] + 1
        sealed = _seal(cipher, personal, self._journal.unit, number)
        return {KEY_KEY_NO: self._key_no, KEY_SEALED: sealed}

    def _day_cipher(self, office_key: bytes) -> AESGCM:
        """Today's key; a new one, and its DAY_KEY on the disk, before its first use.

        A database that was rebuilt has a new boot count, and may have lost the DAY_KEY.
        """
        journal = self._journal
        wanted = (journal.clock.day(journal.clock.now().epoch_ms), office_key, journal.boot)
        if self._cipher is None or self._made_for != wanted:
            day_key = os.urandom(KEY_LENGTH)
            try:
                wrapped = wrap(day_key, office_key, journal.unit)
            except ValueError:
                raise JournalError("the office's encryption key is no X25519 key") from None
            key_no = journal.counter(DAY_KEY) + 1
            journal.set_counter(DAY_KEY, key_no)  # first: a number may be left out, never repeated
            journal.append(KIND_DAY_KEY, {KEY_KEY_NO: key_no, KEY_WRAPPED: wrapped})
            self._cipher, self._made_for, self._key_no = AESGCM(day_key), wanted, key_no
        return self._cipher

    def __repr__(self) -> str:
        return f"<Sealer, key {self._key_no}>"
