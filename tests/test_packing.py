"""Packed records: the same bytes again, whatever they are; nothing else is taken for them."""

from __future__ import annotations

import hashlib
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware.journal import cose, packing
from firmware.journal.packing import PackingError, compress, decompress, pack, unpack

MARK = b"\x08\x58\x20"


def sign1(protected: bytes, kid: bytes, payload: bytes, signature: bytes) -> bytes:
    """A message of the form of a record; nothing in it is verified when it is packed."""
    return b"\xd2" + cose.encode([protected, {4: kid}, payload, signature])


PAYLOADS = st.one_of(
    st.binary(max_size=40),
    st.integers(200, 300).map(bytes),
    st.integers(65_500, 65_600).map(bytes),
    st.tuples(st.binary(max_size=9), st.binary(max_size=50)).map(lambda p: p[0] + MARK + p[1]),
)
PARTS = st.tuples(
    st.sampled_from([b"", b"\xa0", bytes(24), bytes(300)]),
    st.sampled_from([bytes(8), b"\xff" * 8]),
    PAYLOADS,
    st.integers(0, 255).map(lambda value: bytes([value] * 64)),
)


@st.composite
def records(draw: st.DrawFn) -> list[bytes]:
    """Some of them name the digest of the one before, behind the mark or elsewhere."""
    raws: list[bytes] = []
    for protected, kid, payload, signature in draw(st.lists(PARTS, min_size=1, max_size=6)):
        if raws and draw(st.booleans()):
            digest = hashlib.sha256(raws[-1]).digest()
            payload += draw(st.sampled_from([MARK, b"\x08"])) + digest + draw(st.binary(max_size=9))
        raws.append(sign1(protected, kid, payload, signature))
    return raws


@given(records())
def test_whatever_is_packed_comes_back(raws):
    packed = pack(raws)
    found = unpack(decompress(*compress(packed)))
    assert found.raws == raws
    assert found.digests == [hashlib.sha256(raw).digest() for raw in raws]
    assert compress(packed) == compress(pack(raws))


@given(records(), st.data())
def test_what_was_packed_otherwise_comes_back_or_is_refused(raws, data):
    """Left out where it must not be, or damaged: other records or an error, never another one."""
    packed = bytearray(pack(raws))
    at = data.draw(st.integers(0, len(packed) - 1))
    packed[at] ^= data.draw(st.integers(1, 255))
    try:
        found = unpack(bytes(packed))
    except PackingError:
        return
    assert found.raws != raws
    assert unpack(pack(found.raws)) == found


@given(st.binary(max_size=200))
def test_noise_is_no_packed_records(noise):
    with pytest.raises(PackingError):
        unpack(noise)
    with pytest.raises(PackingError):
        decompress(packing.CODEC_ZLIB, noise)


def test_a_chained_records_digest_is_not_sent():
    one = sign1(b"\xa0", bytes(8), b"first", bytes(64))
    two = sign1(b"\xa0", bytes(8), MARK + hashlib.sha256(one).digest() + b"x", bytes(64))
    far = sign1(b"\xa0", bytes(8), MARK + bytes(32) + b"x", bytes(64))
    _, _, whole, payloads, _ = cose.decode(pack([one, two, far]))
    assert (whole, payloads) == ([0, 2], [b"first", MARK + b"x", MARK + bytes(32) + b"x"])


def test_a_stream_must_end_where_it_ends_and_not_burst():
    packed = pack([sign1(b"\xa0", bytes(8), b"x", bytes(64))])
    stream = zlib.compress(packed, 1)
    assert decompress(1, stream) == decompress(0, packed) == packed
    bomb = zlib.compress(bytes(packing.MAX_UNPACKED + 1), 9)
    assert len(decompress(1, zlib.compress(bytes(packing.MAX_UNPACKED)))) == packing.MAX_UNPACKED
    for codec, content in ((1, stream[:-1]), (1, stream + b"x"), (1, b""), (1, bomb), (2, packed)):
        with pytest.raises(PackingError):
            decompress(codec, content)
    with pytest.raises(PackingError):
        decompress(0, bytes(packing.MAX_UNPACKED + 1))


def test_records_of_too_many_signers_are_not_packed():
    many = [sign1(b"\xa0", n.to_bytes(8, "big"), b"x", bytes(64)) for n in range(256)]
    assert unpack(pack(many[:255])).raws == many[:255]
    with pytest.raises(PackingError, match="too many"):
        pack(many)
    with pytest.raises(PackingError, match="record at 1"):
        pack([many[0], b"\xd2" + many[1]])
