"""Key diversification, session keys, MAC and TAC of the social security card (SPEC-P9).

MicroPython-clean, and handed its block cipher: `cipher` is a function (key, blocks) -> bytes that
encrypts whole blocks in ECB mode; a 16-byte key is 3DES (K1 K2 K1) or SM4, an 8-byte one DES.
`block` is 8 for the DES family, 16 for SM4; the formulas differ only by it.

In a terminal these run inside the PSAM.  Here they serve the simulator, office and vectors.
"""


def province_factor(region: str) -> bytes:
    """Level 1: the first two digits of the region code, "0000sh", 8 ASCII bytes."""
    _check_region(region)
    return (region[:2] + "0000sh").encode()


def city_factor(region: str) -> bytes:
    """Level 2: the six digits of the region code, "sx", 8 ASCII bytes (regions may override)."""
    _check_region(region)
    return (region + "sx").encode()


def _check_region(region: str) -> None:
    if len(region) != 6 or not region.isdigit():
        raise ValueError("a region code has six digits")


def _xor(a: bytes, b: bytes) -> bytes:
    return bytes([x ^ y for x, y in zip(a, b)])


def _complement(a: bytes) -> bytes:
    return bytes([x ^ 0xFF for x in a])


def pad(message: bytes, block: int) -> bytes:
    """ISO 9797-1 method 2: 80, then 00 to the block; a full block when already aligned."""
    message = message + b"\x80"
    return message + bytes(-len(message) % block)


def diversify(cipher, key: bytes, factor: bytes, block: int) -> bytes:
    """One level down: a 16-byte key from a 16-byte key, an 8-byte (DES) one from an 8-byte one."""
    if len(factor) != 8:
        raise ValueError("a diversification factor has 8 bytes")
    if len(key) == 8:
        return cipher(key, factor)
    if block == 8:
        return cipher(key, factor) + cipher(key, _complement(factor))
    return cipher(key, factor + _complement(factor))


def diversify_levels(cipher, key: bytes, factors, block: int) -> bytes:
    """`diversify` down several levels; factors from the highest level to the lowest."""
    for factor in factors:
        key = diversify(cipher, key, factor, block)
    return key


def session_key(cipher, key: bytes, process_factor: bytes, block: int) -> bytes:
    """The session key: always one block long (single DES in the DES family)."""
    if not 1 <= len(process_factor) <= block:
        raise ValueError("a process factor has 1 to %d bytes" % block)
    return cipher(key, process_factor + bytes(block - len(process_factor)))


def authentication_data(cipher, session: bytes, original: bytes, block: int) -> bytes:
    """What INTERNAL and EXTERNAL AUTHENTICATE prove for the 8-byte original: 8 bytes."""
    if len(original) != 8:
        raise ValueError("original data has 8 bytes")
    if block == 8:
        return cipher(session, original)
    out = cipher(session, original + bytes(8))
    return _xor(out[:8], out[8:])


def cbc_mac_block(cipher, session: bytes, padded: bytes, iv: bytes, block: int) -> bytes:
    """The last block of a CBC-MAC over an already padded message."""
    if len(padded) % block or not padded:
        raise ValueError("a MAC runs over whole blocks")
    state = iv
    for at in range(0, len(padded), block):
        state = cipher(session, _xor(state, padded[at : at + block]))
    return state


def fold_mac(last_block: bytes) -> bytes:
    """4 bytes: the left of a DES block, the XOR of the four words of a 16-byte one."""
    if len(last_block) == 8:
        return last_block[:4]
    half = _xor(last_block[:8], last_block[8:])
    return _xor(half[:4], half[4:])


def mac(cipher, session: bytes, message: bytes, block: int) -> bytes:
    """The 4-byte MAC of an unpadded message, IV zero."""
    return fold_mac(cbc_mac_block(cipher, session, pad(message, block), bytes(block), block))


def purchase_session_key(cipher, dpk, random, purchase_serial, terminal_serial, block: int):
    """SESPK from random 4, purchase serial 2, terminal serial 4 (its low 2 bytes enter)."""
    return session_key(cipher, dpk, random + purchase_serial + terminal_serial[-2:], block)


def load_session_key(cipher, dlk, random, load_serial, block: int):
    """SESLK from random 4 and load serial 2."""
    return session_key(cipher, dlk, random + load_serial + b"\x80\x00", block)


def tac_key(dtk: bytes, block: int) -> bytes:
    """The key of a TAC: both halves of DTK folded in the DES family, DTK itself for SM4."""
    return _xor(dtk[:8], dtk[8:]) if block == 8 else dtk


def mac1_message(amounts: bytes, kind: bytes, terminal: bytes, time: bytes) -> bytes:
    """MAC1 of a purchase: amounts 12 (account, self, pooled), type 1, terminal 6, time 7."""
    return amounts + kind + terminal + time


def tac_message(amounts: bytes, kind: bytes, terminal: bytes, terminal_serial: bytes, time: bytes):
    """TAC of a purchase: amounts 12, type 1, terminal 6, terminal serial 4, time 7."""
    return amounts + kind + terminal + terminal_serial + time


def load_mac1_message(balance: bytes, amount: bytes, kind: bytes, terminal: bytes) -> bytes:
    """MAC1 of a load, made by the card: balance before 4, amount 4, type 1, terminal 6."""
    return balance + amount + kind + terminal


def load_mac2_message(amount: bytes, kind: bytes, terminal: bytes, time: bytes) -> bytes:
    """MAC2 of a load, made by whoever holds DLK: amount 4, type 1, terminal 6, time 7."""
    return amount + kind + terminal + time


def load_tac_message(balance, load_serial, amount, kind, terminal, time) -> bytes:
    """TAC of a load: balance after it 4, load serial 2, amount 4, type 1, terminal 6, time 7."""
    return balance + load_serial + amount + kind + terminal + time
