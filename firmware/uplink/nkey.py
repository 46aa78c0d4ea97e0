"""A NATS credentials file: an nkey seed, alone or after a user's JWT (the form of `nsc`).

A seed is base32 of two prefix bytes, the 32 bytes of an Ed25519 seed and a CRC-16; a public nkey is
base32 of one prefix byte, the public key and a CRC-16 (CRC-16/XMODEM, little-endian).
"""

from __future__ import annotations

import base64
import binascii
import os
import re
import stat
from pathlib import Path

from firmware.journal.cose import Ed25519Signer

_USER = 20 << 3
_SEED_OF_USER = (18 << 3 | _USER >> 5, (_USER & 31) << 3)  # S, U
_MAX_FILE = 1 << 16
_JWT = re.compile(r"-----BEGIN NATS USER JWT-----\s+(\S+)\s+-+END NATS USER JWT-+")
_SEED = re.compile(r"(?m)^(SU[A-Z2-7]{56})\s*$")


class CredentialsError(Exception):
    """The file is not there, others can read it, or it holds no seed of a user."""


class Credentials:
    """jwt: None where the server knows the public key by itself.  Never printed."""

    def __init__(self, signer: Ed25519Signer, jwt: str | None):
        self._signer = signer
        self.jwt = jwt
        raw = bytes([_USER]) + signer.public_key
        self.public = _base32(raw + _crc(raw))

    def sign(self, nonce: str) -> bytes:
        """The server's nonce, signed: base64, as the protocol wants it."""
        return base64.b64encode(self._signer.sign(nonce.encode()))

    def __repr__(self) -> str:
        return f"<Credentials {self.public}>"


def read(path: Path) -> Credentials:
    """Raises CredentialsError, which never holds what is in the file."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError as error:
        raise CredentialsError(f"{path}: {error.strerror}") from None
    try:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode) or status.st_mode & 0o077:
            raise CredentialsError(f"{path}: others could read it; its mode must be 0600")
        text = os.read(handle, _MAX_FILE).decode("ascii", "replace")
    finally:
        os.close(handle)
    seed, jwt = _SEED.search(text), _JWT.search(text)
    if seed is None:
        raise CredentialsError(f"{path}: no seed of a user (SU...)")
    return Credentials(Ed25519Signer(_seed(seed[1], path)), None if jwt is None else jwt[1])


def _seed(text: str, path: Path) -> bytes:
    raw = base64.b32decode(text + "=" * (-len(text) % 8))
    body, crc = raw[:-2], raw[-2:]
    if tuple(body[:2]) != _SEED_OF_USER or len(body) != 34 or _crc(body) != crc:
        raise CredentialsError(f"{path}: the seed is spoilt")
    return body[2:]


def encode_seed(seed: bytes) -> str:
    """The text form of 32 bytes: what a credentials file holds."""
    raw = bytes(_SEED_OF_USER) + seed
    return _base32(raw + _crc(raw))


def _crc(raw: bytes) -> bytes:
    return binascii.crc_hqx(raw, 0).to_bytes(2, "little")


def _base32(raw: bytes) -> str:
    return base64.b32encode(raw).decode().rstrip("=")
