"""The format as a stranger reads it: from docs/records.md, cbor2 and cryptography alone."""

from __future__ import annotations

import hashlib
import zlib

import cbor2
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from journal_maker import (
    START_MS,
    TEST_DEVICE_KEY,
    TEST_OFFICE_KEY,
    UNIT,
    open_journal,
    purchase,
    receipt_for,
)

from firmware.journal import batch, cose
from firmware.journal.enrolment import make_enrolment
from firmware.journal.signedfile import make_signed_file


def read(raw: bytes, public_key: bytes, content_type: str):
    """The payload of a tagged COSE_Sign1, as RFC 9052 4.2 and 4.4 tell it."""
    message = cbor2.loads(raw)
    assert isinstance(message, cbor2.CBORTag)
    assert message.tag == 18
    protected, unprotected, payload, signature = message.value
    assert cbor2.loads(protected) == {1: -8, 3: content_type}
    assert unprotected == {4: hashlib.sha256(public_key).digest()[:8]}
    signed = cbor2.dumps(["Signature1", protected, b"", payload])
    Ed25519PublicKey.from_public_bytes(public_key).verify(signature, signed)
    value = cbor2.loads(payload)
    assert payload == cbor2.dumps(value, canonical=True)  # uint keys: both orders are the same
    return value


def unpacked(packed: bytes) -> list[bytes]:
    """The records' bytes, as docs/records.md tells it."""
    heads, which, whole, payloads, signatures = cbor2.loads(packed)
    raws: list[bytes] = []
    for at, payload in enumerate(payloads):
        if at not in whole:
            left, right = payload.split(b"\x08\x58\x20", 1)
            payload = left + b"\x08\x58\x20" + hashlib.sha256(raws[-1]).digest() + right
        protected, kid = heads[which[at]]
        parts = [protected, {4: kid}, payload, signatures[64 * at : 64 * at + 64]]
        raws.append(cbor2.dumps(cbor2.CBORTag(18, parts)))
    return raws


def test_records_and_their_chain_are_read_without_our_code(tmp_path):
    journal = open_journal(tmp_path)
    purchase(journal, "order-1")
    journal.flush()
    raws = [each.raw for each in journal.records()]
    journal.close()
    previous = bytes(32)
    for number, raw in enumerate(raws, 1):
        envelope = read(raw, TEST_DEVICE_KEY.public_key, "application/ssc-record+cbor")
        assert sorted(envelope) == [1, 2, 3, 4, 5, 6, 7, 8, 9]
        assert (envelope[1], envelope[2], envelope[3]) == (UNIT, number, 1)
        assert envelope[8] == previous
        previous = hashlib.sha256(raw).digest()
    assert [cbor2.loads(cbor2.loads(raw).value[2])[6] for raw in raws] == [1, 2, 7]


def test_a_batch_its_receipt_and_the_other_files_are_read_without_our_code(tmp_path):
    journal = open_journal(tmp_path)
    purchase(journal, "order-1")
    sealed = batch.seal(journal)
    raws = [each.raw for each in journal.records()]
    journal.close()
    form, statement_raw, codec, packed = cbor2.loads(sealed.raw)
    assert (form, codec) == (1, 1)
    assert unpacked(zlib.decompress(packed)) == raws
    header = read(statement_raw, TEST_DEVICE_KEY.public_key, "application/ssc-batch+cbor")
    one, two, three = (hashlib.sha256(b"\0" + raw).digest() for raw in raws)
    left = hashlib.sha256(b"\1" + one + two).digest()
    assert header == {
        1: UNIT,
        2: 1,
        3: 1,
        4: 3,
        5: hashlib.sha256(b"\1" + left + three).digest(),
        6: bytes(32),
        7: header[7],
        8: [],
    }
    office = TEST_OFFICE_KEY.public_key
    protected, unprotected, payload, signature = cbor2.loads(receipt_for(sealed)[1:])
    kid = hashlib.sha256(office).digest()[:8]
    claims = {1: "test office", 2: f"{UNIT}/1", 6: START_MS // 1000}
    assert cbor2.loads(protected) == {1: -8, 4: kid, 15: claims, 395: 1}
    assert (unprotected, payload) == ({396: {-1: [cbor2.dumps([1, 0, []])]}}, None)
    root = hashlib.sha256(b"\0" + statement_raw).digest()
    signed = cbor2.dumps(["Signature1", protected, b"", root])
    Ed25519PublicKey.from_public_bytes(office).verify(signature, signed)
    signed = make_signed_file(
        what="stoplist", number=4, issued_ms=9, body={1: []}, signer=TEST_OFFICE_KEY
    )
    found = read(signed, office, "application/ssc-signed-file+cbor")
    assert found == {1: "stoplist", 2: 4, 3: 9, 4: {1: []}}
    request = make_enrolment(unit=UNIT, region="4401", time_ms=9, signer=TEST_DEVICE_KEY)
    own = TEST_DEVICE_KEY.public_key
    found = read(request, own, "application/ssc-enrolment+cbor")
    assert found == {1: UNIT, 2: own, 3: "4401", 4: 9}


def test_a_message_made_without_our_code_is_verified_by_it():
    key = Ed25519PrivateKey.from_private_bytes(b"an invented key of just 32 bytes")
    public_key = key.public_key().public_bytes_raw()
    protected = cbor2.dumps({1: -8, 3: "application/test"})
    signature = key.sign(cbor2.dumps(["Signature1", protected, b"", b"payload"]))
    kid = hashlib.sha256(public_key).digest()[:8]
    raw = cbor2.dumps(cbor2.CBORTag(18, [protected, {4: kid}, b"payload", signature]))
    assert cose.verify1(raw, public_key, "application/test") == b"payload"


def test_the_reader_above_notices_a_forgery():
    raw = make_signed_file(what="x", number=1, issued_ms=1, body=0, signer=TEST_OFFICE_KEY)
    with pytest.raises(InvalidSignature):
        read(
            raw[:-1] + bytes([raw[-1] ^ 1]),
            TEST_OFFICE_KEY.public_key,
            "application/ssc-signed-file+cbor",
        )


def test_the_signed_bytes_are_those_of_the_published_example():
    """cose-wg/Examples, eddsa-examples/eddsa-sig-01 (key: RFC 8032 7.1 test 1)."""
    key = cose.Ed25519Signer(
        bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
    )
    assert (
        key.public_key.hex() == "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
    )
    signature = key.sign(cose.to_be_signed(bytes.fromhex("a201270300"), b"This is the content."))
    assert signature.hex() == (
        "7142fd2ff96d56db85bee905a76ba1d0b7321a95c8c4d3607c5781932b7afb87"
        "11497dfa751bf40b58b3bcc32300b1487f3db34085eef013bf08f4a44d6fef0d"
    )
