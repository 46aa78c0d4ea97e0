"""PIN blocks of ISO 9564-1: format 3 under 3DES, format 4 under AES; both ways.

A PIN here is its digits in ASCII, in a bytearray that whoever made it wipes.  A PAN is 13 to 19
decimal digits.  `Cipher` is ECB over whole blocks: cipher(key, blocks), from psam/cipher.py.
ValueError, without a digit in it, for a block that is none: another key, another PAN, or damage.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from firmware.secret import wipe

MIN_DIGITS, MAX_DIGITS = 4, 12
_FILL_4 = 0xA

Cipher = Callable[[bytes, bytes], bytes]


@dataclass(frozen=True)
class BlockCipher:
    """One algorithm.  size: of its block in bytes."""

    size: int
    encrypt: Cipher
    decrypt: Cipher


def encode_format_3(pin: bytearray, pan: str, fill: Sequence[int]) -> bytearray:
    """9.3.5: 3, length, digits, fill, XOR the account field.  fill: 10 random values, 0 to 5, which
    become the digits A to F.  8 bytes, in the clear."""
    nibbles = [3, len(pin), *(each - 0x30 for each in pin)]
    nibbles += [0xA + each for each in fill][: 16 - len(nibbles)]
    return _xor(_packed(nibbles), _account_field(pan))


def decode_format_3(block: bytes, pan: str) -> bytearray:
    clear = _xor(bytearray(block), _account_field(pan))
    try:
        return _digits(clear, 3, lambda fill: fill >= 0xA)
    finally:
        wipe(clear)


def encode_pin_field_4(pin: bytearray, noise: bytes) -> bytearray:
    """9.4.2.1: 4, length, digits, fill A to 16 nibbles, then 8 random bytes.  16 bytes."""
    nibbles = [4, len(pin), *(each - 0x30 for each in pin)]
    return _packed(nibbles + [_FILL_4] * (16 - len(nibbles))) + bytearray(noise)


def pan_field_4(pan: str) -> bytes:
    """9.4.2.2: how many digits beyond 12, the digits, zeros.  16 bytes."""
    _check_pan(pan)
    return bytes.fromhex(f"{len(pan) - 12:x}{pan}".ljust(32, "0"))


def encipher_format_4(
    aes: BlockCipher, key: bytes, pin: bytearray, pan: str, noise: bytes
) -> bytes:
    """9.4.2.3: encrypt, XOR the PAN field, encrypt.  noise: 8 random bytes."""
    clear = encode_pin_field_4(pin, noise)
    try:
        inner = aes.encrypt(key, bytes(clear))
    finally:
        wipe(clear)
    return aes.encrypt(key, bytes(_xor(bytearray(inner), pan_field_4(pan))))


def decipher_format_4(aes: BlockCipher, key: bytes, block: bytes, pan: str) -> bytearray:
    inner = _xor(bytearray(aes.decrypt(key, block)), pan_field_4(pan))
    clear = bytearray(aes.decrypt(key, bytes(inner)))
    try:
        return _digits(clear[:8], 4, lambda fill: fill == _FILL_4)
    finally:
        wipe(clear)


def decipher(form: int, cipher: BlockCipher, key: bytes, block: bytes, pan: str) -> bytearray:
    """The digits of a block of format 3 or 4 as a pad sends it."""
    if len(block) != cipher.size:
        raise ValueError(f"a PIN block of {len(block)} bytes; expected {cipher.size}")
    if form == 4:
        return decipher_format_4(cipher, key, block, pan)
    return decode_format_3(cipher.decrypt(key, block), pan)


def _digits(field: bytearray, control: int, is_fill: Callable[[int], bool]) -> bytearray:
    """Of 8 bytes in the clear, wiped here."""
    nibbles = bytearray(16)
    found = bytearray()
    try:
        for at, byte in enumerate(field):
            nibbles[2 * at], nibbles[2 * at + 1] = byte >> 4, byte & 0x0F
        length = nibbles[1]
        if nibbles[0] != control or not MIN_DIGITS <= length <= MAX_DIGITS:
            raise ValueError("no PIN block of that format under that key and PAN")
        found = bytearray(length)
        for at in range(length):
            found[at] = 0x30 + nibbles[2 + at]
        is_sound = found.isdigit() and all(is_fill(nibbles[at]) for at in range(2 + length, 16))
        if not is_sound:
            wipe(found)
            raise ValueError("no PIN block of that format under that key and PAN")
        return found
    finally:
        wipe(nibbles)
        wipe(field)


def _account_field(pan: str) -> bytes:
    """9.3.2: four zeros and the 12 digits before the check digit."""
    _check_pan(pan)
    return bytes.fromhex("0000" + pan[-13:-1])


def _check_pan(pan: str) -> None:
    if not (13 <= len(pan) <= 19 and pan.isascii() and pan.isdigit()):
        raise ValueError("a PAN here has 13 to 19 decimal digits")


def _packed(nibbles: Sequence[int]) -> bytearray:
    return bytearray(nibbles[at] << 4 | nibbles[at + 1] for at in range(0, len(nibbles), 2))


def _xor(left: bytearray, right: bytes) -> bytearray:
    for at, each in enumerate(right):
        left[at] ^= each
    return left
