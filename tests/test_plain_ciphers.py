"""The plain ciphers that MicroPython's tests use are the real ones (the package `cryptography`)."""

from hypothesis import given, settings
from hypothesis import strategies as st

from firmware.psam import cipher
from tests.both import ciphers

BLOCKS = st.integers(1, 3)


@settings(max_examples=40, deadline=None)
@given(st.data(), BLOCKS)
def test_des_and_3des(data, count):
    key = data.draw(st.binary(min_size=8, max_size=8) | st.binary(min_size=16, max_size=16))
    blocks = data.draw(st.binary(min_size=8 * count, max_size=8 * count))
    assert ciphers.des_encrypt(key, blocks) == cipher.des_encrypt(key, blocks)


@settings(max_examples=40, deadline=None)
@given(st.binary(min_size=16, max_size=16), st.data(), BLOCKS)
def test_sm4(key, data, count):
    blocks = data.draw(st.binary(min_size=16 * count, max_size=16 * count))
    assert ciphers.sm4_encrypt(key, blocks) == cipher.sm4_encrypt(key, blocks)
