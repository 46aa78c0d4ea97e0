"""Receipts both ways against scitt-cose, which shares no code with this project (RFC 9942)."""

from __future__ import annotations

import random

import cbor2
import pytest
import scitt_cose
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from firmware.journal import cose, merkle
from firmware.journal.algorithms import ES256, Ed25519Signer
from firmware.journal.receipt import ReceiptError, make_receipt, parse_receipt
from office.tree import Tree
from tests.test_merkle import Kept

SEED = bytes(range(32))  # invented
EDDSA_OFFICE = Ed25519Signer(SEED)
IAT = 1_795_312_800


class P256Office:
    """An office key on P-256, signing as RFC 9053 2.1 has it."""

    algorithm = ES256

    def __init__(self) -> None:
        self.key = ec.derive_private_key(int.from_bytes(SEED, "big"), ec.SECP256R1())
        point = self.key.public_key()
        self.public_key = point.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)

    def sign(self, data: bytes) -> bytes:
        r, s = decode_dss_signature(self.key.sign(data, ec.ECDSA(SHA256())))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")


P256_OFFICE = P256Office()
OFFICES = {"EdDSA": EDDSA_OFFICE, "ES256": P256_OFFICE}


def private_pem(name: str) -> bytes:
    key = Ed25519PrivateKey.from_private_bytes(SEED) if name == "EdDSA" else P256_OFFICE.key
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def public_pem(name: str) -> bytes:
    key = (
        Ed25519PublicKey.from_public_bytes(EDDSA_OFFICE.public_key)
        if name == "EdDSA"
        else P256_OFFICE.key.public_key()
    )
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def ours(name: str, entries: list[bytes], index: int, before: int | None) -> bytes:
    """A receipt as the office makes it."""
    tree = Tree(Kept(), 0)
    for each in entries:
        tree.append(merkle.leaf(each))
    return make_receipt(
        unit="unit/7", batch=index + 1, time_ms=IAT * 1000, issuer="Office 1",
        signer=OFFICES[name], root=tree.root(), size=tree.size, index=index,
        path=tree.inclusion(index),
        consistency=None if before is None else (before, tree.consistency(before)),
    )  # fmt: skip


@pytest.mark.parametrize("name", OFFICES)
def test_the_independent_package_verifies_our_receipts(name):
    rnd = random.Random(9942)
    for size in (1, 2, 3, 7, 8, 9, 64, 100):
        entries = [rnd.randbytes(200) for _ in range(size)]
        index, before = rnd.randrange(size), rnd.choice([None, 1, size])
        raw = ours(name, entries, index, before)
        found = scitt_cose.verify_receipt(
            raw, leaf_entry_hex=entries[index].hex(), log_public_key_pem=public_pem(name)
        )
        assert found.ok, found.errors
        assert (found.tree_size, found.leaf_index) == (size, index)
        assert (found.issuer, found.subject, found.iat) == ("Office 1", f"unit/7/{index + 1}", IAT)
        assert found.protected_header_ext == {4: cose.key_id(OFFICES[name].public_key)}
        assert found.root == merkle.root(list(map(merkle.leaf, entries))).hex()
        other = scitt_cose.verify_receipt(
            raw, leaf_entry_hex=rnd.randbytes(200).hex(), log_public_key_pem=public_pem(name)
        )
        assert not other.ok


@pytest.mark.parametrize("name", OFFICES)
def test_we_verify_the_receipts_of_the_independent_package(name):
    rnd = random.Random(6962)
    office = OFFICES[name].public_key
    for size in (1, 2, 3, 7, 8, 9, 64, 100):
        entries = [rnd.randbytes(200) for _ in range(size)]
        index = rnd.randrange(size)
        raw = scitt_cose.build_receipt(
            leaf_entry_hex=entries[index].hex(), leaf_index=index,
            tree_entries_hex=[each.hex() for each in entries], alg=name,
            log_private_key_pem=private_pem(name), iss="Office 1", sub="unit/7/3",
            kid=cose.key_id(office), iat=IAT,
        )  # fmt: skip
        protected, unprotected, payload, signature = cbor2.loads(raw[1:])
        headers = cbor2.loads(protected)
        assert payload is None
        assert (headers[4], headers[395]) == (cose.key_id(office), 1)
        assert headers[15] == {1: "Office 1", 2: "unit/7/3", 6: IAT}
        of, at, path = cose.decode(unprotected[396][-1][0])
        root = merkle.root_from_inclusion(merkle.leaf(entries[index]), at, of, path)
        assert (of, at, root) == (size, index, merkle.root(list(map(merkle.leaf, entries))))
        signed = cose.to_be_signed(protected, root)
        cose.check_signature(headers[1], office, signature, signed)
        with pytest.raises(cose.CoseError):
            cose.check_signature(headers[1], office, signature, signed + b"x")


def test_a_receipt_of_theirs_in_our_form_is_accepted_and_in_theirs_refused():
    """It orders the protected header's keys as they were given; a receipt here is canonical."""
    raw = scitt_cose.build_receipt(
        leaf_entry_hex="aa", leaf_index=0, tree_entries_hex=["aa"], alg="EdDSA",
        log_private_key_pem=private_pem("EdDSA"), iss="Office 1", sub="unit/7/3",
        kid=cose.key_id(EDDSA_OFFICE.public_key), iat=IAT,
    )  # fmt: skip
    with pytest.raises(ReceiptError, match="canonical"):
        parse_receipt(raw, EDDSA_OFFICE.public_key, b"\xaa")
    protected, unprotected, _, _ = cbor2.loads(raw[1:])
    ordered = cose.encode(cbor2.loads(protected))
    root = merkle.leaf(b"\xaa")
    signature = EDDSA_OFFICE.sign(cose.to_be_signed(ordered, root))
    again = b"\xd2" + cose.encode([ordered, unprotected, None, signature])
    found = parse_receipt(again, EDDSA_OFFICE.public_key, b"\xaa")
    assert (found.unit, found.batch, found.time_ms) == ("unit/7", 3, IAT * 1000)
    assert again == ours("EdDSA", [b"\xaa"], 0, None).replace(b"unit/7/1", b"unit/7/3")[:-64] + (
        signature
    )
