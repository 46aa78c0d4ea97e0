"""Block ciphers for `psam.keys`, from the `cryptography` package: the one place that knows it.

Software keys serve tests, the simulator and an office that holds test keys; operational
keys never leave the PSAM.  The key of an encrypting PIN pad is the one a unit holds itself.
"""

from __future__ import annotations

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

try:
    from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
except ImportError:  # Debian 12's cryptography 38 has it in the old place
    from cryptography.hazmat.primitives.ciphers.algorithms import TripleDES

DES_BLOCK = 8
SM4_BLOCK = 16
AES_BLOCK = 16


def des_encrypt(key: bytes, blocks: bytes) -> bytes:
    """ECB over whole 8-byte blocks: 3DES for a 16-byte key, single DES for an 8-byte one."""
    if len(key) not in (8, 16):
        raise ValueError("a DES key has 8 or 16 bytes")
    # Single DES is 3DES with three equal keys.
    full = key * 3 if len(key) == 8 else key + key[:8]
    encryptor = Cipher(TripleDES(full), modes.ECB()).encryptor()
    return encryptor.update(blocks) + encryptor.finalize()


def sm4_encrypt(key: bytes, blocks: bytes) -> bytes:
    """ECB over whole 16-byte blocks with a 16-byte key (GB/T 32907)."""
    encryptor = Cipher(algorithms.SM4(key), modes.ECB()).encryptor()
    return encryptor.update(blocks) + encryptor.finalize()


def des_decrypt(key: bytes, blocks: bytes) -> bytes:
    """The inverse of `des_encrypt`: what a card does with an enciphered PIN block."""
    if len(key) not in (8, 16):
        raise ValueError("a DES key has 8 or 16 bytes")
    full = key * 3 if len(key) == 8 else key + key[:8]
    decryptor = Cipher(TripleDES(full), modes.ECB()).decryptor()
    return decryptor.update(blocks) + decryptor.finalize()


def sm4_decrypt(key: bytes, blocks: bytes) -> bytes:
    """The inverse of `sm4_encrypt`."""
    decryptor = Cipher(algorithms.SM4(key), modes.ECB()).decryptor()
    return decryptor.update(blocks) + decryptor.finalize()


def aes_encrypt(key: bytes, blocks: bytes) -> bytes:
    """ECB over whole 16-byte blocks with a key of 16 or 32 bytes (FIPS 197)."""
    encryptor = Cipher(algorithms.AES(key), modes.ECB()).encryptor()
    return encryptor.update(blocks) + encryptor.finalize()


def aes_decrypt(key: bytes, blocks: bytes) -> bytes:
    """The inverse of `aes_encrypt`."""
    decryptor = Cipher(algorithms.AES(key), modes.ECB()).decryptor()
    return decryptor.update(blocks) + decryptor.finalize()
