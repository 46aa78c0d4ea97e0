"""Algorithm numbers (issue: "write -8/-7, accept -19/-9, a private number for SM2, test only")."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path

import gmalg
import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from hypothesis import given
from hypothesis import strategies as st

from firmware.journal import algorithms, cose, record
from firmware.journal.algorithms import ES256, ESP256, SM2, AlgorithmError, Ed25519Signer, key_id
from firmware.journal.cose import CoseError
from firmware.journal.kinds import KIND_TAMPER, PROFILE_DEVELOPMENT
from firmware.journal.record import NO_PREVIOUS, RecordError

ROOT = Path(__file__).resolve().parents[1]
TYPE = "application/test+cbor"
SM2_ID = b"1234567812345678"


class P256Signer:
    algorithm = ES256

    def __init__(self, secret: int = 4711, algorithm: int = ES256):
        self._key = ec.derive_private_key(secret, ec.SECP256R1())
        self.algorithm = algorithm
        point = serialization.PublicFormat.UncompressedPoint
        self.public_key = self._key.public_key().public_bytes(serialization.Encoding.X962, point)

    def sign(self, data: bytes) -> bytes:
        r, s = decode_dss_signature(self._key.sign(data, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")


class Renamed:
    """The same key, its algorithm written as the other number that means it."""

    def __init__(self, signer, algorithm):
        self.algorithm, self.public_key, self.sign = algorithm, signer.public_key, signer.sign


class Sm2Signer:
    algorithm = SM2

    def __init__(self, secret: bytes = bytes(31) + b"\x07"):
        self._sm2 = gmalg.SM2(secret, SM2_ID)
        self.public_key = self._sm2.generate_pk(secret)

    def sign(self, data: bytes) -> bytes:
        r, s = self._sm2.sign(data)
        return r.rjust(32, b"\0") + s.rjust(32, b"\0")


def sm2_verify(public_key: bytes, signature: bytes, data: bytes) -> bool:
    return gmalg.SM2(uid=SM2_ID, pk=public_key).verify(data, signature[:32], signature[32:])


@pytest.fixture
def sm2():
    undo = algorithms.register(SM2, sm2_verify)
    yield Sm2Signer()
    undo()


ED = Ed25519Signer(bytes(range(32)))
P256 = P256Signer()
ACCEPTED = {-8: ED, -19: Renamed(ED, -19), -7: P256, -9: Renamed(P256, -9)}


@pytest.mark.parametrize("number", ACCEPTED)
def test_each_number_is_verified_and_carved(number):
    signer = ACCEPTED[number]
    raw = cose.sign1(b"payload", signer, TYPE)
    assert cose.verify1(raw, signer.public_key, TYPE) == b"payload"
    assert cose.algorithm_of(cose.parts1(raw)[0], TYPE) == number
    assert cose.length1(raw + b"more") == len(raw)
    assert list(cose.carve(b"noise" + raw + b"noise", TYPE)) == [raw]


def test_what_is_written_is_8_and_7():
    assert [algorithms.written(each) for each in (-8, -19, -7, -9)] == [-8, -8, -7, -7]
    assert Ed25519Signer.algorithm == -8
    assert ES256 == -7


@pytest.mark.parametrize("number", [-8, -7])
def test_every_flipped_byte_is_found(number):
    signer = ACCEPTED[number]
    raw = cose.sign1(b"payload", signer, TYPE)
    for at in range(len(raw)):
        wrong = bytearray(raw)
        wrong[at] ^= 0x01
        with pytest.raises(CoseError):
            cose.verify1(bytes(wrong), signer.public_key, TYPE)


@pytest.mark.parametrize("number", [-35, -36, -257, -65540, 5, 0])
def test_another_algorithm_is_refused_and_not_carved(number):
    raw = cose.sign1(b"payload", Renamed(ED, number), TYPE)
    with pytest.raises(CoseError, match="known algorithm"):
        cose.verify1(raw, ED.public_key, TYPE)
    assert list(cose.carve(raw, TYPE)) == []


@pytest.mark.parametrize(
    ("signer", "number"), [(ED, -7), (ED, ESP256), (P256, -8), (P256, -19)], ids=range(4)
)
def test_a_key_of_another_algorithm_is_refused(signer, number):
    raw = cose.sign1(b"payload", Renamed(signer, number), TYPE)
    with pytest.raises(CoseError, match="a public key of"):
        cose.verify1(raw, signer.public_key, TYPE)


@given(st.binary(min_size=64, max_size=64) | st.binary(max_size=80))
def test_a_made_up_signature_is_wrong_and_no_crash(signature):
    for number, signer in ACCEPTED.items():
        assert not algorithms.verify(number, signer.public_key, signature, b"data")


@pytest.mark.parametrize(
    "public_key",
    [
        b"",
        bytes(32),
        bytes(65),
        b"\x04" + bytes(64),
        b"\x02" + P256.public_key[1:33],  # compressed
        P256.public_key[:-1] + bytes([P256.public_key[-1] ^ 1]),  # not on the curve
        Sm2Signer().public_key,  # on another curve
    ],
    ids=range(7),
)
def test_what_is_no_point_of_p_256_is_no_key(public_key):
    with pytest.raises(AlgorithmError, match="a point of P-256"):
        algorithms.check_key(ES256, public_key)


@pytest.mark.parametrize("number", ACCEPTED)
def test_a_signature_has_one_length(number):
    """r, s as 32 bytes each: a zero more before s would be the same numbers in other bytes."""
    signer = ACCEPTED[number]
    right = signer.sign(b"data")
    assert algorithms.verify(number, signer.public_key, right, b"data")
    for wrong in (right[:32] + b"\0" + right[32:], b"\0" + right, right + b"\0", right[:-1]):
        assert not algorithms.verify(number, signer.public_key, wrong, b"data")


def test_es256_verifies_a_published_answer():
    """RFC 6979 A.2.5: P-256, SHA-256, message "sample"."""
    x = "60FED4BA255A9D31C961EB74C6356D68C049B8923B61FA6CE669622E60F29FB6"
    y = "7903FE1008B8BC99A41AE9E95628BC64F2F1B20C2D7E9F5177A3C294D4462299"
    r = "EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716"
    s = "F7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8"
    key = bytes.fromhex("04" + x + y)
    assert algorithms.verify(ES256, key, bytes.fromhex(r + s), b"sample")
    assert not algorithms.verify(ES256, key, bytes.fromhex(r + s), b"Sample")


def record_of(signer) -> bytes:
    return record.build(
        KIND_TAMPER,
        {50: "test"},
        unit="u",
        number=1,
        boot=1,
        time_ms=1,
        trust=0,
        profile=PROFILE_DEVELOPMENT,
        previous=NO_PREVIOUS,
        signer=signer,
    ).raw


def test_sm2_arrives_through_a_provider_and_goes_with_it(sm2):
    raw = record_of(sm2)
    assert record.parse(raw, sm2.public_key).number == 1
    assert list(cose.carve(b"x" + raw, record.CONTENT_TYPE)) == [raw]
    wrong = bytearray(raw)
    wrong[-1] ^= 1
    with pytest.raises(RecordError, match="signature is wrong"):
        record.parse(bytes(wrong), sm2.public_key)


def test_without_a_provider_sm2_is_refused():
    signer = Sm2Signer()
    raw = record_of(signer)
    with pytest.raises(RecordError, match="known algorithm"):
        record.parse(raw, signer.public_key)
    with pytest.raises(AlgorithmError, match="not known"):
        algorithms.check_key(SM2, signer.public_key)


def test_sm2_verifies_a_published_answer(sm2):
    """GB/T 32918.5-2017 A.2: M = "message digest", the recommended curve."""
    x = "09F9DF311E5421A150DD7D161E4BC5C672179FAD1833FC076BB08FF356F35020"
    y = "CCEA490CE26775A52DC6EA718CC1AA600AED05FBF35E084A6632F6072DA9AD13"
    r = "F5A03B0648D2C4630EEAC513E1BB81A15944DA3827D5B74143AC7EACEEE720B3"
    s = "B1B6AA29DF212FD8763182BC0D421CA1BB9038FD1F7F42D4840B69C485BBC1AA"
    key, answer = bytes.fromhex("04" + x + y), bytes.fromhex(r + s)
    assert algorithms.verify(SM2, key, answer, b"message digest")
    assert not algorithms.verify(SM2, key, answer, b"message digesT")


def test_no_process_of_ours_registers_a_provider():
    """Production refuses SM2: nothing outside the tests can let it in."""
    for top in ("firmware", "office", "simulator", "tools"):
        for path in (ROOT / top).rglob("*.py"):
            calls = [
                n.func for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Call)
            ]
            named = {getattr(f, "attr", None) or getattr(f, "id", None) for f in calls}
            imports = "algorithms" in path.read_text()
            assert not (imports and "register" in named), path


def test_a_number_that_has_a_meaning_is_not_registered():
    for number in (-8, -7, -35, -65535, -65536, 1):
        with pytest.raises(AlgorithmError, match="not for private use"):
            algorithms.register(number, sm2_verify)


def test_a_private_key_is_not_in_what_a_signer_shows():
    secret = bytes(range(32))
    shown = f"{ED!r} {ED} {vars(ED)}"
    assert key_id(ED.public_key).hex() in shown
    assert secret.hex() not in shown
    assert str(secret) not in shown
    assert "def __reduce__" in inspect.getsource(Ed25519Signer)
