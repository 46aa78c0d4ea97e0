"""PIN blocks of ISO 9564-1 and the key of an entry, held against published examples and against
another implementation.

Vectors: `psec` (knovichikhin/psec, tests) and `paysec` (Rust) publish the same block of format 4
for one key, PIN and PAN, and the blocks of format 3; RFC 4493 section 4 and SP 800-38B examples for
CMAC.
"""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.cmac import CMAC
from cryptography.hazmat.primitives.kdf.kbkdf import KBKDFCMAC, CounterLocation, Mode
from hypothesis import given
from hypothesis import strategies as st

from firmware.drivers import padkey, pinblock
from firmware.drivers.pinblock import BlockCipher
from firmware.psam import cipher

AES_ = BlockCipher(16, cipher.aes_encrypt, cipher.aes_decrypt)
DES = BlockCipher(8, cipher.des_encrypt, cipher.des_decrypt)
KEY = bytes.fromhex("00112233445566778899aabbccddeeff")

FORMAT_3 = [
    ("1234", "12345678901234", "341217ba9876fedc"),
    ("12345", "1234567890123", "3512266ba9876fed"),
    ("123456", "123456789012345", "36120000876fedcb"),
    ("1234567", "1234567890123456", "37127131f6fedcba"),
    ("12345678", "12345678901234567", "3812622ee8edcba9"),
]
FORMAT_4 = [
    ("1234", "1234567890123456789", "28b41fddd29b743e93124bd8e32d921e"),
    ("1234", "1234567890123456", "52db178c6edce52e3a70f7fbc8e9c758"),
    ("123456", "123456789012345678", "847a0209c659e4c4a79ca6a2a2217d31"),
    ("12345678", "1234567890123456789", "018bfec8b5ef60181a327ad8325a2ba4"),
]


def ascii_(digits: str) -> bytearray:
    return bytearray(digits, "ascii")


@pytest.mark.parametrize(("pin", "pan", "block"), FORMAT_3)
def test_published_blocks_of_format_3_are_read_and_made(pin: str, pan: str, block: str) -> None:
    assert pinblock.decode_format_3(bytes.fromhex(block), pan) == pin.encode()
    account = "0000" + pan[-13:-1]
    fill = [
        (int(each, 16) ^ int(other, 16)) - 0xA for each, other in zip(block, account, strict=True)
    ][2 + len(pin) :]
    assert pinblock.encode_format_3(ascii_(pin), pan, fill).hex() == block


@pytest.mark.parametrize(("pin", "pan", "block"), FORMAT_4)
def test_published_blocks_of_format_4_are_read(pin: str, pan: str, block: str) -> None:
    found = pinblock.decipher(4, AES_, KEY, bytes.fromhex(block), pan)
    assert found == pin.encode()


def test_the_published_block_of_format_4_is_made() -> None:
    pin, pan, block = FORMAT_4[0]
    made = pinblock.encipher_format_4(AES_, KEY, ascii_(pin), pan, b"\xff" * 8)
    assert made.hex() == block


digits = st.text("0123456789", min_size=4, max_size=12)
pans = st.text("0123456789", min_size=13, max_size=19)


@given(digits, pans, st.binary(min_size=8, max_size=8))
def test_both_formats_give_back_what_went_in(pin: str, pan: str, noise: bytes) -> None:
    four = pinblock.encipher_format_4(AES_, KEY, ascii_(pin), pan, noise)
    assert pinblock.decipher(4, AES_, KEY, four, pan) == pin.encode()
    clear = pinblock.encode_format_3(ascii_(pin), pan, [each % 6 for each in noise + noise])
    assert clear[0] == 0x30 + len(pin)
    three = cipher.des_encrypt(KEY, bytes(clear))
    assert pinblock.decipher(3, DES, KEY, three, pan) == pin.encode()


@pytest.mark.parametrize("form", [3, 4])
def test_another_key_another_pan_or_another_length_is_no_block(form: int) -> None:
    algorithm = AES_ if form == 4 else DES
    pan, other = "1234567890123456789", "1234567890123456780"
    if form == 4:
        block = pinblock.encipher_format_4(AES_, KEY, ascii_("806427"), pan, b"\x5c" * 8)
    else:
        clear = pinblock.encode_format_3(ascii_("806427"), pan, [0, 1, 2, 3, 4, 5, 0, 1, 2, 3])
        block = cipher.des_encrypt(KEY, bytes(clear))
        other = "9" * 19  # the check digit is no part of the account field
    for key, told, found in (
        (KEY[::-1], pan, block),
        (KEY, other, block),
        (KEY, pan, block[:-1]),
        (KEY, pan, bytes(len(block))),
        (KEY, pan, b""),
    ):
        with pytest.raises(ValueError, match="PIN block") as caught:
            pinblock.decipher(form, algorithm, key, found, told)
        assert "806427" not in str(caught.value)


@pytest.mark.parametrize(
    ("form", "field"),
    [
        (4, "441234aaaaaaaaa9"), (4, "441234aaaaaaaaaf"), (4, "341234aaaaaaaaaa"),
        (4, "431234aaaaaaaaaa"), (4, "4d1234567890123a"), (4, "44123baaaaaaaaaa"),
        (3, "341234abcdefab90"), (3, "441234abcdefabcd"), (3, "33123aabcdefabcd"),
    ],
)  # fmt: skip
def test_a_field_with_one_wrong_nibble_is_no_pin_field(form: int, field: str) -> None:
    """Control, length, a digit, the fill."""
    pan, clear = "1234567890123456789", bytes.fromhex(field)
    if form == 4:
        inner = int.from_bytes(cipher.aes_encrypt(KEY, clear + bytes(8)), "big")
        mixed = inner ^ int.from_bytes(pinblock.pan_field_4(pan), "big")
        block, algorithm = cipher.aes_encrypt(KEY, mixed.to_bytes(16, "big")), AES_
    else:
        mixed = int.from_bytes(clear, "big") ^ int(pan[-13:-1], 16)
        block, algorithm = cipher.des_encrypt(KEY, mixed.to_bytes(8, "big")), DES
    with pytest.raises(ValueError, match="no PIN block"):
        pinblock.decipher(form, algorithm, KEY, block, pan)


@given(st.binary(min_size=16, max_size=16), pans)
def test_no_bytes_make_it_fall_over(block: bytes, pan: str) -> None:
    for form, algorithm in ((4, AES_), (3, DES)):
        try:
            found = pinblock.decipher(form, algorithm, KEY, block[: algorithm.size], pan)
        except ValueError:
            continue
        assert found.isdigit()
        assert 4 <= len(found) <= 12


@pytest.mark.parametrize(
    "pan", ["123456789012", "1" * 20, "12345678901a3", "１２３４５６７８９０１２３"]
)
def test_a_pan_is_13_to_19_digits(pan: str) -> None:
    with pytest.raises(ValueError, match="13 to 19"):
        pinblock.pan_field_4(pan)


# -- the key of an entry ---------------------------------------------------------------------------

RFC4493_KEY = bytes.fromhex("2b7e151628aed2a6abf7158809cf4f3c")
RFC4493 = bytes.fromhex(
    "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"
    "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710"
)


@pytest.mark.parametrize(
    ("length", "mac"),
    [
        (0, "bb1d6929e95937287fa37d129b756746"),
        (16, "070a16b46b4d4144f79bdd9dd04a287c"),
        (40, "dfa66747de9ae63030ca32611497c827"),
        (64, "51f0bebf7e3b9d92fc49741779363cfe"),
    ],
)
def test_cmac_is_that_of_rfc_4493(length: int, mac: str) -> None:
    assert padkey.cmac(AES_, RFC4493_KEY, RFC4493[:length]).hex() == mac


@given(st.binary(max_size=70), st.binary(min_size=16, max_size=16))
def test_cmac_is_that_of_another_implementation(message: bytes, key: bytes) -> None:
    for algorithm, other in ((AES_, AES(key)), (DES, cipher.TripleDES(key + key[:8]))):
        wanted = CMAC(other)
        wanted.update(message)
        assert padkey.cmac(algorithm, key, message) == wanted.finalize()


@pytest.mark.parametrize("length", [16, 32])
def test_the_entry_key_is_sp_800_108_s_counter_mode(length: int) -> None:
    master, unit, pad = bytes(range(7, 7 + length)), b"unit-rnd", b"pad--rnd"
    wanted = KBKDFCMAC(
        AES, Mode.CounterMode, length, 4, 4, CounterLocation.BeforeFixed,
        padkey.LABEL, unit + pad, None,
    ).derive(master)  # fmt: skip
    assert padkey.entry_key(AES_, master, unit, pad) == wanted
    assert padkey.entry_key(AES_, master, pad, unit) != wanted


def test_the_entry_key_of_a_3des_pad_has_both_halves() -> None:
    key = padkey.entry_key(DES, KEY, b"unit-rnd", b"pad--rnd")
    halves = []
    for counter in (b"\0\0\0\1", b"\0\0\0\2"):
        mac = CMAC(cipher.TripleDES(KEY + KEY[:8]))
        mac.update(counter + b"SSC PIN\0unit-rndpad--rnd\0\0\0\x80")
        halves.append(mac.finalize())
    assert key == b"".join(halves)


# -- the file --------------------------------------------------------------------------------------

OWN = bytes.fromhex("9c1f0377a2d85be4613a90cc2e7748d1")


def test_a_key_file_is_a_line_of_hex() -> None:
    assert padkey.master_key(OWN.hex().encode() + b"\n", 4, True).reveal() == OWN
    assert padkey.master_key((OWN + OWN[::-1]).hex().upper().encode(), 4, True).reveal()[:16] == OWN


@pytest.mark.parametrize(
    ("content", "form", "why"),
    [
        (b"", 4, "length"),
        (OWN.hex().encode()[:-2], 4, "length"),
        ((OWN * 2).hex().encode(), 3, "length"),
        (OWN, 4, "hexadecimal"),
        (b"\xff" * 32, 4, "hexadecimal"),
        ((OWN[:8] * 2).hex().encode(), 3, "single DES"),
    ],
)
def test_what_is_no_key_is_refused_without_showing_it(content: bytes, form: int, why: str) -> None:
    with pytest.raises(ValueError, match=why) as caught:
        padkey.master_key(content, form, False)
    assert OWN.hex()[:8] not in str(caught.value)


@pytest.mark.parametrize(
    "key", [KEY, RFC4493_KEY, bytes(range(32)), b"\x11" * 16, bytes(16), b"\1\2" * 16]
)
def test_production_takes_no_test_key(key: bytes) -> None:
    content = key.hex().encode()
    assert padkey.master_key(content, 4, False).reveal() == key
    with pytest.raises(ValueError, match="test key"):
        padkey.master_key(content, 4, True)
