"""The key of one PIN entry, made by unit and pad from the master key both hold and a random number
of each: NIST SP 800-108 in counter mode with CMAC (SP 800-38B; RFC 4493) of the pad's cipher."""

from __future__ import annotations

from firmware.drivers.pinblock import BlockCipher
from firmware.secret import Key

LABEL = b"SSC PIN"
_POLYNOMIAL = {8: 0x1B, 16: 0x87}  # SP 800-38B 5.3, for blocks of 64 and 128 bits
CHECK_LENGTH = 8
_LENGTHS = {3: (16,), 4: (16, 32)}  # of a master key, by the format of the PIN blocks
_PUBLISHED = frozenset(
    {
        bytes(range(16)),
        bytes(range(32)),
        bytes.fromhex("00112233445566778899aabbccddeeff"),
        bytes.fromhex("0123456789abcdeffedcba9876543210"),
        bytes.fromhex("2b7e151628aed2a6abf7158809cf4f3c"),  # SP 800-38A, RFC 4493
    }
)


def master_key(content: bytes, form: int, is_production: bool) -> Key:
    """What a key file holds: 32 or 64 hexadecimal characters.  ValueError, without any of them."""
    try:
        found = bytes.fromhex(content.decode("ascii").strip())
    except ValueError:
        raise ValueError("is not hexadecimal") from None
    if len(found) not in _LENGTHS[form]:
        lengths = " or ".join(str(2 * each) for each in _LENGTHS[form])
        raise ValueError(f"has another length than {lengths} hexadecimal characters")
    if form == 3 and found[:8] == found[8:]:
        raise ValueError("has two equal halves: that is single DES")
    if is_production and (found in _PUBLISHED or len(set(found)) < 8):
        raise ValueError("is a test key; load a key of its own into this pad")
    return Key(found)


def cmac(cipher: BlockCipher, key: bytes, message: bytes) -> bytes:
    """One block."""
    size = cipher.size
    last_key = _doubled(cipher.encrypt(key, bytes(size)))
    is_whole = bool(message) and len(message) % size == 0
    if not is_whole:
        last_key = _doubled(last_key)
        message += b"\x80"
        message += bytes(-len(message) % size)
    chain = bytes(size)
    for at in range(0, len(message), size):
        block = _xor(chain, message[at : at + size])
        if at + size == len(message):
            block = _xor(block, last_key)
        chain = cipher.encrypt(key, block)
    return chain


def entry_key(cipher: BlockCipher, master: bytes, unit_random: bytes, pad_random: bytes) -> bytes:
    """As long as the master key: 16 or 32 bytes.  The two random numbers have 8 bytes each."""
    context = unit_random + pad_random
    bits = (len(master) * 8).to_bytes(4, "big")
    made = b""
    counter = 0
    while len(made) < len(master):
        counter += 1
        made += cmac(cipher, master, counter.to_bytes(4, "big") + LABEL + b"\0" + context + bits)
    return made[: len(master)]


def check_value(cipher: BlockCipher, key: bytes, message: bytes) -> bytes:
    """Shows that its maker holds the key of this entry.  8 bytes."""
    return cmac(cipher, key, message)[:CHECK_LENGTH]


def _doubled(block: bytes) -> bytes:
    """SP 800-38B 6.1: one bit to the left, and the polynomial where one fell out."""
    value = int.from_bytes(block, "big") << 1
    if value >> (8 * len(block)):
        value ^= (1 << (8 * len(block))) | _POLYNOMIAL[len(block)]
    return value.to_bytes(len(block), "big")


def _xor(left: bytes, right: bytes) -> bytes:
    return bytes(one ^ other for one, other in zip(left, right, strict=True))
