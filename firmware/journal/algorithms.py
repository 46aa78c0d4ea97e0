"""Signature algorithms by their COSE numbers: how each is verified, and which key suits which.

| Number | Meaning | Public key | Signature |
|---|---|---|---|
| -8 written, -19 accepted | EdDSA, Ed25519 (RFC 9053 2.2, RFC 9864 2.2) | 32 bytes | 64 bytes |
| -7 written, -9 accepted | ES256, ESP256: P-256, SHA-256 (RFC 9053 2.1) | 65 bytes, 04 X Y | r, s |
| -65540, private use, test only | SM2 with SM3 (GB/T 32918) | 65 bytes, 04 X Y | r, s |

SM2 is known only where a provider was registered, which no process of a terminal or an office does:
there is no certified one.  A key of 65 bytes does not say its curve; the message's algorithm does.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from functools import lru_cache
from typing import NoReturn, Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

EDDSA = -8
ED25519 = -19
ES256 = -7
ESP256 = -9
SM2 = -65540

KEY_ID_LENGTH = 8
SEED_LENGTH = 32
SIGNATURE_LENGTH = 64

_WRITTEN = {ED25519: EDDSA, ESP256: ES256}
"""A number that is accepted -> the one that means the same and is written."""

Verify = Callable[[bytes, bytes, bytes], bool]
"""(public key, signature of 64 bytes, data) -> whether it verifies; ValueError for no such key."""

Check = Callable[[bytes, bytes], None]
"""(signature, data); raises InvalidSignature."""


class AlgorithmError(ValueError):
    """An algorithm that is not known here, or a public key that is none of it."""


class Signer(Protocol):
    """Whoever holds a private key: a file, a PKCS #11 token, the office."""

    @property
    def algorithm(self) -> int:
        """Its COSE number, the one that is written."""

    @property
    def public_key(self) -> bytes:
        """Raw: 32 bytes Ed25519, 65 bytes a point."""

    def sign(self, data: bytes) -> bytes:
        """64 bytes."""


class Ed25519Signer:
    """A private key in memory, from its 32-byte seed (RFC 8032 5.1.5); never printed."""

    algorithm = EDDSA

    def __init__(self, seed: bytes):
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self.public_key = self._key.public_key().public_bytes_raw()

    def sign(self, data: bytes) -> bytes:
        return self._key.sign(data)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {key_id(self.public_key).hex()}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a private key is not copied or pickled")


def new_seed() -> bytes:
    """32 random bytes from the operating system: an Ed25519 seed."""
    return os.urandom(SEED_LENGTH)


def key_id(public_key: bytes) -> bytes:
    """The first 8 bytes of SHA-256 of the raw public key."""
    return hashlib.sha256(public_key).digest()[:KEY_ID_LENGTH]


def written(algorithm: int) -> int:
    """The number this release writes for what `algorithm` means: -8 for -19, -7 for -9."""
    return _WRITTEN.get(algorithm, algorithm)


def known() -> tuple[int, ...]:
    """Every number that verifies here."""
    return (*_MAKERS, *_registered)


def check_key(algorithm: int, public_key: bytes) -> None:
    """Raises AlgorithmError unless this is a public key of that algorithm."""
    _checker(algorithm, public_key)


def verify(algorithm: int, public_key: bytes, signature: bytes, data: bytes) -> bool:
    """Whether the signature is right; raises AlgorithmError."""
    check = _checker(algorithm, public_key)
    try:
        check(signature, data)
    except InvalidSignature:
        return False
    return True


def register(algorithm: int, provider: Verify) -> Callable[[], None]:
    """Let a provider verify a private-use number (below -65536), for tests; what undoes it.

    Raises AlgorithmError for a number that has a meaning.
    """
    if algorithm >= -65536:
        raise AlgorithmError(f"{algorithm} is not for private use (RFC 9053 2)")
    _registered[algorithm] = provider

    def undo() -> None:
        del _registered[algorithm]
        _checker.cache_clear()

    return undo


_registered: dict[int, Verify] = {}


@lru_cache(maxsize=4096)
def _checker(algorithm: int, public_key: bytes) -> Check:
    """What verifies with that key; making it from its bytes costs more than to keep it."""
    maker = _MAKERS.get(algorithm)
    if maker is not None:
        return maker(public_key)
    if algorithm in _registered:
        return _provided(_registered[algorithm], public_key)
    raise AlgorithmError(f"the algorithm {algorithm} is not known")


def _ed25519(public_key: bytes) -> Check:
    try:
        return Ed25519PublicKey.from_public_bytes(public_key).verify
    except ValueError:
        raise AlgorithmError("a public key of Ed25519 is 32 bytes") from None


def _es256(public_key: bytes) -> Check:
    try:
        if len(public_key) != 65:  # a compressed point is none
            raise ValueError
        key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), public_key)
    except ValueError:
        raise AlgorithmError("a public key of ES256 is 65 bytes, a point of P-256") from None
    how = ec.ECDSA(hashes.SHA256())

    def check(signature: bytes, data: bytes) -> None:
        if len(signature) != SIGNATURE_LENGTH:
            raise InvalidSignature
        r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
        key.verify(encode_dss_signature(r, s), data, how)

    return check


def _provided(provider: Verify, public_key: bytes) -> Check:
    if len(public_key) != 65:
        raise AlgorithmError("a public key on a curve is 65 bytes")

    def check(signature: bytes, data: bytes) -> None:
        try:
            is_right = len(signature) == SIGNATURE_LENGTH and provider(public_key, signature, data)
        except ValueError:
            raise AlgorithmError("the provider takes no such key") from None
        if not is_right:
            raise InvalidSignature

    return check


_MAKERS: dict[int, Callable[[bytes], Check]] = {
    EDDSA: _ed25519,
    ED25519: _ed25519,
    ES256: _es256,
    ESP256: _es256,
}
