"""Personal values in records (issue: "AES-GCM under a daily key wrapped once by HPKE").

HPKE is held to RFC 9180 through a second implementation, below, which is itself held to the
published values of A.1.1.
"""

from __future__ import annotations

import hmac
import os
import struct

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from firmware.clock import Clock
from firmware.journal import cose, sealed
from firmware.journal.kinds import KIND_DAY_KEY, KIND_SERVICE, PROFILE_DEVELOPMENT
from firmware.journal.schema import JournalError
from firmware.journal.sealed import SealedError, Sealer, open_sealed, seal, unwrap, wrap
from firmware.journal.store import Journal
from tests.journal_maker import TEST_DEVICE_KEY

UNIT = "unit-1"
OFFICE = bytes(range(1, 33))
OFFICE_PUBLIC = sealed.public_of(OFFICE)
DAY_KEY = bytes(range(32, 64))


# --- RFC 9180, a second time: base mode of DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-GCM ---


def extract(salt, key):
    return hmac.digest(salt or bytes(32), key, "sha256")


def expand(key, info, length):
    found, block = b"", b""
    for at in range(1, 1 + -(-length // 32)):
        block = hmac.digest(key, block + info + bytes([at]), "sha256")
        found += block
    return found[:length]


def labeled_extract(suite, salt, label, key):
    return extract(salt, b"HPKE-v1" + suite + label + key)


def labeled_expand(suite, key, label, info, length):
    return expand(key, struct.pack(">H", length) + b"HPKE-v1" + suite + label + info, length)


def schedule(secret, enc, public, info, aead, key_length):
    """(shared secret, key, base nonce) of sections 4.1 and 5.1; secret: of one side's DH."""
    kem = b"KEM" + struct.pack(">H", 0x20)
    eae = labeled_extract(kem, b"", b"eae_prk", secret)
    shared = labeled_expand(kem, eae, b"shared_secret", enc + public, 32)
    suite = b"HPKE" + struct.pack(">HHH", 0x20, 1, aead)
    context = b"\0" + labeled_extract(suite, b"", b"psk_id_hash", b"")
    context += labeled_extract(suite, b"", b"info_hash", info)
    key = labeled_extract(suite, shared, b"secret", b"")
    return (
        shared,
        labeled_expand(suite, key, b"key", context, key_length),
        labeled_expand(suite, key, b"base_nonce", context, 12),
    )


def test_the_second_implementation_gives_the_published_values():
    """RFC 9180 A.1.1: AES-128-GCM; the key schedule and the first ciphertext."""
    private = bytes.fromhex("4612c550263fc8ad58375df3f557aac531d26850903e55a9f23f21d8534e8ac8")
    public = bytes.fromhex("3948cfe0ad1ddb695d780e59077195da6c56506b027329794ab02bca80815c4d")
    enc = bytes.fromhex("37fda3567bdbd628e88668c3c8d7e97d1d1253b6d4ea6d44c150f741f1bf4431")
    info = bytes.fromhex("4f6465206f6e2061204772656369616e2055726e")
    own = X25519PrivateKey.from_private_bytes(private)
    secret = own.exchange(X25519PublicKey.from_public_bytes(enc))
    shared, key, nonce = schedule(secret, enc, public, info, 1, 16)
    assert shared.hex() == "fe0e18c9f024ce43799ae393c7e8fe8fce9d218875e8227b0187c04e7d2ea1fc"
    assert key.hex() == "4531685d41d65f03dc48f6b8302c05b0"
    assert nonce.hex() == "56d890e5accaaf011cff4b7d"
    first = bytes.fromhex(
        "f938558b5d72f1a23810b4be2ab4f84331acc02fc97babc53a52ae8218a355a96d8770ac83d07bea87e13c512a"
    )
    plain = AESGCM(key).decrypt(nonce, first, b"Count-0")
    assert plain == b"Beauty is truth, truth beauty"
    assert sealed.public_of(private) == public


def test_wrap_is_read_by_the_second_implementation():
    wrapped = wrap(DAY_KEY, OFFICE_PUBLIC, UNIT)
    enc, content = wrapped[:32], wrapped[32:]
    own = X25519PrivateKey.from_private_bytes(OFFICE)
    secret = own.exchange(X25519PublicKey.from_public_bytes(enc))
    _, key, nonce = schedule(secret, enc, OFFICE_PUBLIC, b"ssc day key" + b"unit-1", 2, 32)
    assert AESGCM(key).decrypt(nonce, content, b"") == DAY_KEY
    assert len(content) == 32 + 16


def test_what_the_second_implementation_wraps_is_unwrapped():
    ephemeral = X25519PrivateKey.generate()
    enc = ephemeral.public_key().public_bytes_raw()
    secret = ephemeral.exchange(X25519PublicKey.from_public_bytes(OFFICE_PUBLIC))
    _, key, nonce = schedule(secret, enc, OFFICE_PUBLIC, b"ssc day key" + b"unit-1", 2, 32)
    assert unwrap(enc + AESGCM(key).encrypt(nonce, DAY_KEY, b""), OFFICE, UNIT) == DAY_KEY


@pytest.mark.parametrize(
    ("wrapped", "key", "unit"),
    [
        (wrap(DAY_KEY, OFFICE_PUBLIC, UNIT), bytes(range(2, 34)), UNIT),
        (wrap(DAY_KEY, OFFICE_PUBLIC, UNIT), OFFICE, "unit-2"),
        (wrap(DAY_KEY, OFFICE_PUBLIC, UNIT)[:-1], OFFICE, UNIT),
        (wrap(DAY_KEY[:31], OFFICE_PUBLIC, UNIT), OFFICE, UNIT),
        (bytes(80), OFFICE, UNIT),
        (b"", OFFICE, UNIT),
    ],
    ids=["another key", "another unit", "cut", "too short inside", "zeros", "empty"],
)
def test_a_wrapped_key_is_opened_by_its_office_for_its_unit_only(wrapped, key, unit):
    with pytest.raises(SealedError):
        unwrap(wrapped, key, unit)


def test_every_flipped_byte_of_a_wrapped_key_is_found():
    wrapped = wrap(DAY_KEY, OFFICE_PUBLIC, UNIT)
    for at in range(len(wrapped)):
        if at == 31:
            continue  # X25519 ignores the highest bit of a public key (RFC 7748 5): lowest flipped
        spoilt = bytearray(wrapped)
        spoilt[at] ^= 1
        with pytest.raises(SealedError):
            unwrap(bytes(spoilt), OFFICE, UNIT)


VALUES = st.dictionaries(st.text(max_size=8), st.binary(max_size=8) | st.text(max_size=8))


@given(VALUES, st.integers(1, 2**63))
def test_values_go_in_and_come_out(values, number):
    assert open_sealed(seal(values, DAY_KEY, UNIT, number), DAY_KEY, UNIT, number) == values


def test_values_are_bound_to_their_record():
    """A record's values cannot be moved to another record or unit, nor altered."""
    raw = seal({"before": b"x"}, DAY_KEY, UNIT, 7)
    wrong = [(raw, DAY_KEY, UNIT, 8), (raw, DAY_KEY, "unit-2", 7), (raw, bytes(32), UNIT, 7)]
    wrong += [
        (bytes(raw[:at]) + bytes([raw[at] ^ 1]) + raw[at + 1 :], DAY_KEY, UNIT, 7)
        for at in range(len(raw))
    ]
    wrong += [(raw[:at], DAY_KEY, UNIT, 7) for at in range(len(raw))]
    for each in wrong:
        with pytest.raises(SealedError):
            open_sealed(*each)


@pytest.mark.parametrize("inside", [[1], {1: "x"}, "text"])
def test_what_is_no_map_of_texts_is_refused(inside):
    nonce = bytes(12)
    bound = UNIT.encode() + (7).to_bytes(8, "big")
    raw = nonce + AESGCM(DAY_KEY).encrypt(nonce, cose.encode(inside), bound)
    with pytest.raises(SealedError, match="no map"):
        open_sealed(raw, DAY_KEY, UNIT, 7)


# --- in the journal ---


class Bench:
    """A journal whose clock and office key a test sets."""

    def __init__(self, folder):
        self.now_s = 1_795_312_800  # 10:00 in China
        self.office_key = OFFICE_PUBLIC
        self.folder = folder
        self.open()

    def open(self):
        self.journal = Journal.open(
            self.folder / "journal.db",
            signer=TEST_DEVICE_KEY,
            unit=UNIT,
            profile=PROFILE_DEVELOPMENT,
            clock=Clock(has_rtc=True, trust_h=48, wall=lambda: self.now_s),
            min_free_mb=1,
        )
        self.sealer = Sealer(self.journal, lambda: self.office_key)

    def serve(self, **personal):
        body = {2: "clerk", 50: "test", 36: 9}
        return self.sealer.append(KIND_SERVICE, body, personal)

    def day_keys(self):
        found = [each for each in self.journal.records(limit=999) if each.kind == KIND_DAY_KEY]
        return [(each.number, each.body[62]) for each in found]

    def opened(self, number):
        records = {each.number: each for each in self.journal.records(limit=999)}
        body = records[number].body
        (wrapped,) = [
            each.body[63]
            for each in records.values()
            if each.kind == KIND_DAY_KEY and each.body[62] == body[62]
        ]
        return open_sealed(body[76], unwrap(wrapped, OFFICE, UNIT), UNIT, number)


@pytest.fixture
def bench(tmp_path):
    made = Bench(tmp_path)
    yield made
    made.journal.close()


def test_one_day_key_a_day_and_only_when_it_is_needed(bench):
    assert bench.serve().number == 1
    assert bench.day_keys() == []
    first = bench.serve(before={"a": b"1"})
    second = bench.serve(id_tail="123X")
    assert (first.number, second.number) == (3, 4)
    bench.now_s += 86_400
    third = bench.serve(id_tail="4567")
    assert bench.day_keys() == [(2, 1), (5, 2)]
    assert [first.body[62], second.body[62], third.body[62]] == [1, 1, 2]
    assert bench.opened(3) == {"before": {"a": b"1"}}
    assert bench.opened(4) == {"id_tail": "123X"}
    assert bench.opened(6) == {"id_tail": "4567"}


def test_a_restart_makes_a_key_of_a_new_number(bench):
    bench.serve(id_tail="1111")
    bench.journal.close()
    bench.open()
    last = bench.serve(id_tail="2222")
    assert [key_no for _, key_no in bench.day_keys()] == [1, 2]
    assert bench.opened(last.number) == {"id_tail": "2222"}


def test_a_rebuild_of_the_database_makes_a_key_of_a_new_number(bench):
    """The DAY_KEY may be among what was lost: nobody could open what is sealed under it later."""
    bench.serve(id_tail="1111")
    bench.journal.write("UPDATE records SET raw = x'00' WHERE kind = ?", KIND_DAY_KEY)
    bench.journal._renew("a test")
    last = bench.serve(id_tail="2222")
    assert last.body[62] > 1
    assert bench.opened(last.number) == {"id_tail": "2222"}


def test_another_key_of_the_office_means_another_day_key(bench):
    bench.serve(id_tail="1111")
    bench.office_key = sealed.public_of(bytes(range(2, 34)))
    bench.serve(id_tail="2222")
    assert [key_no for _, key_no in bench.day_keys()] == [1, 2]


def test_the_number_is_right_while_others_ride(bench):
    bench.journal.append(19, {50: "rides"}, ride=True)
    found = bench.serve(id_tail="1111")
    assert bench.opened(found.number) == {"id_tail": "1111"}


def test_without_the_offices_key_the_values_are_left_out_never_clear(bench):
    bench.office_key = None
    found = bench.serve(id_tail="9876", before={"a": b"secret-value"})
    assert set(found.body) == {2, 50, 36}
    bench.journal.checkpoint()
    files = b"".join(path.read_bytes() for path in bench.folder.glob("journal.db*"))
    assert b"secret-value" not in files
    assert b"9876" not in files


def test_the_disk_holds_neither_values_nor_day_key(bench, monkeypatch):
    drawn = []
    real = os.urandom

    def kept(length):
        drawn.append(real(length))
        return drawn[-1]

    monkeypatch.setattr(os, "urandom", kept)
    found = bench.serve(before={"a": b"secret-value"})
    assert bench.opened(found.number)["before"] == {"a": b"secret-value"}
    bench.journal.checkpoint()
    files = b"".join(path.read_bytes() for path in bench.folder.glob("journal.db*"))
    day_key = next(each for each in drawn if len(each) == 32)
    assert day_key not in files
    assert b"secret-value" not in files
    shown = f"{bench.sealer!r} {vars(bench.sealer)}"
    assert day_key.hex() not in shown
    assert repr(day_key) not in shown


def test_a_key_of_the_office_that_is_none_is_an_error_not_a_clear_value(bench):
    bench.office_key = bytes(5)
    with pytest.raises(JournalError, match="no X25519 key"):
        bench.serve(id_tail="1234")
    assert bench.journal.head()[0] == 0


def test_a_cut_between_the_number_and_the_record_repeats_no_number(bench, monkeypatch):
    def cut(*_, **__):
        raise JournalError("cut")

    with monkeypatch.context() as patch:
        patch.setattr(bench.journal, "append", cut)
        with pytest.raises(JournalError, match="cut"):
            bench.serve(id_tail="1111")
    found = bench.serve(id_tail="2222")
    assert [key_no for _, key_no in bench.day_keys()] == [2]
    assert bench.opened(found.number) == {"id_tail": "2222"}
