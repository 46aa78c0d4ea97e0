"""The device key in a PKCS #11 token (issue: "PKCS#11 (SoftHSM2 in tests, P-256)")."""

from __future__ import annotations

import logging
import os
import threading
import traceback
from dataclasses import replace

import pytest

from firmware.journal import algorithms, cose, pkcs11
from firmware.journal.algorithms import ES256, key_id
from firmware.journal.pkcs11 import TokenError, TokenKeys
from firmware.journal.schema import JournalError
from tests.token_rig import PIN, needs_softhsm, soft_token
from tests.waiting import SOON_S

pytestmark = needs_softhsm

TYPE = "application/test+cbor"


@pytest.fixture
def token(tmp_path, monkeypatch):
    return soft_token(tmp_path / "hsm", monkeypatch)


def keys_of(token, may_create=True) -> TokenKeys:
    return TokenKeys(token.settings, may_create=may_create)


def test_the_key_is_made_in_the_token_and_signs_es256(token):
    key = keys_of(token).current()
    assert (key.algorithm, len(key.public_key)) == (ES256, 65)
    raw = cose.sign1(b"payload", key, TYPE)
    assert cose.verify1(raw, key.public_key, TYPE) == b"payload"
    signature = key.sign(b"data")
    assert len(signature) == 64
    assert algorithms.verify(ES256, key.public_key, signature, b"data")
    assert not algorithms.verify(ES256, key.public_key, signature, b"date")


def test_the_next_start_finds_the_same_key(token):
    made = keys_of(token).current()
    assert keys_of(token, may_create=False).current().public_key == made.public_key


def test_the_private_key_cannot_leave_the_token(token):
    from pkcs11 import Attribute, ObjectClass

    keys = keys_of(token)
    keys.current()
    template = {Attribute.CLASS: ObjectClass.PRIVATE_KEY}

    def flags(session):
        return [
            (each[Attribute.SENSITIVE], each[Attribute.EXTRACTABLE], each[Attribute.PRIVATE])
            for each in session.get_objects(template)
        ]

    assert keys._token.call(flags) == [(True, False, True)]


def test_a_unit_that_had_a_key_makes_no_other_in_a_strange_token(token):
    with pytest.raises(TokenError, match="the unit's own token"):
        keys_of(token, may_create=False).current()
    with pytest.raises(TokenError, match="the unit's own token"):
        keys_of(token, may_create=False).make_next()


def test_a_wrong_pin_is_tried_once_and_again_only_when_its_file_changed(token, monkeypatch):
    """A token locks itself after some tries: restarts must not use them up."""
    token.write_pin("wrong-4712")
    opened = []
    real = pkcs11.pkcs11.lib

    def counted(path):
        opened.append(path)
        return real(path)

    monkeypatch.setattr(pkcs11.pkcs11, "lib", counted)
    with pytest.raises(TokenError, match="refuses the PIN"):
        keys_of(token).current()
    for _ in range(3):
        with pytest.raises(TokenError, match="was refused: write the right one"):
            keys_of(token).current()
    assert len(opened) == 1
    token.write_pin(PIN)
    assert keys_of(token).current().public_key


@pytest.mark.parametrize("mode", [0o640, 0o604])
def test_a_pin_file_that_others_could_read_is_refused(token, mode):
    token.settings.pin_file.chmod(mode)
    with pytest.raises(TokenError, match="change the token's PIN"):
        keys_of(token).current()


@pytest.mark.parametrize("content", [b"", b"\n", b"x" * 300, b"\xff\xfe"])
def test_a_pin_file_without_a_pin_is_refused(token, content):
    token.settings.pin_file.write_bytes(content)
    with pytest.raises(TokenError, match=r"token\.pin"):
        keys_of(token).current()


def test_a_token_taken_out_is_one_clear_error_and_works_again_when_it_is_back(token):
    key = keys_of(token).current()
    before = key.sign(b"data")
    token.take_out()
    for _ in range(2):
        with pytest.raises(TokenError, match="put it back") as refused:
            key.sign(b"data")
        assert isinstance(refused.value, JournalError), "the journal's callers know it"
    token.put_back()
    for signature in (before, key.sign(b"data")):
        assert algorithms.verify(ES256, key.public_key, signature, b"data")


# What the package says of a search it cannot end in a session that is gone.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_lost_session_is_opened_again_at_once(token):
    key = keys_of(token).current()
    key._token._session.close()
    assert algorithms.verify(ES256, key.public_key, key.sign(b"data"), b"data")


def test_another_token_of_the_same_label_signs_nothing(token, tmp_path, monkeypatch):
    key = keys_of(token).current()
    other = soft_token(tmp_path / "other", monkeypatch)
    keys_of(other).current()
    key._token._session = None
    with pytest.raises(TokenError, match="no longer in the token"):
        key.sign(b"data")


def test_a_module_that_does_not_answer_meets_its_deadline(token, monkeypatch):
    key = keys_of(token).current()
    patient = key._token.settings
    let_go = threading.Event()
    key._token.settings = replace(patient, timeout_s=0.2)
    with monkeypatch.context() as patch:
        patch.setattr(key, "_sign", lambda session, digest: let_go.wait(SOON_S) and b"")
        with pytest.raises(TokenError, match=r"within 0\.2 s"):
            key.sign(b"data")
        with pytest.raises(TokenError, match="still does not answer"):
            key.sign(b"data")
    let_go.set()
    key._token.settings = patient
    assert key._token._worker.has_ended(SOON_S)
    assert algorithms.verify(ES256, key.public_key, key.sign(b"data"), b"data")


def test_a_module_that_is_none_is_named(token, tmp_path):
    path = tmp_path / "nothing.so"
    path.write_bytes(b"\x7fELF")
    settings = pkcs11.TokenSettings(path, "t", "device", token.settings.pin_file, 5)
    with pytest.raises(TokenError, match="no PKCS #11 module"):
        TokenKeys(settings, may_create=True).current()


class Torn(Exception):
    """Power is cut here."""


def cut_at(monkeypatch, count):
    """Let the calls that change the token pass, `count` of them, then cut."""
    left = [count]
    real_destroy, real_generate = pkcs11._destroy, pkcs11._generate

    def counted(real):
        def call(*arguments):
            if left[0] == 0:
                raise Torn
            left[0] -= 1
            return real(*arguments)

        return call

    monkeypatch.setattr(pkcs11, "_destroy", counted(real_destroy))
    monkeypatch.setattr(pkcs11, "_generate", counted(real_generate))


def test_the_next_key_takes_the_place_of_the_present_one_whatever_was_torn(token, monkeypatch):
    for count in range(4):
        keys = keys_of(token)
        old = keys.current()
        cut_at(monkeypatch, count)
        try:
            coming = keys.make_next()
        except Torn:
            monkeypatch.undo()
            monkeypatch.setenv("SOFTHSM2_CONF", str(token.folder / "softhsm2.conf"))
            assert keys_of(token, may_create=False).current().public_key == old.public_key
            continue
        ident = key_id(coming.public_key)
        try:
            keys.take(ident)
        except Torn:
            monkeypatch.undo()
            monkeypatch.setenv("SOFTHSM2_CONF", str(token.folder / "softhsm2.conf"))
        taken = keys_of(token, may_create=False).take(ident)
        assert taken.public_key == coming.public_key
        again = keys_of(token, may_create=False)
        assert again.current().public_key == coming.public_key
        assert again.take(key_id(old.public_key)) is None, "the old key is destroyed"
        assert algorithms.verify(ES256, coming.public_key, coming.sign(b"data"), b"data")


def test_when_only_the_old_key_was_destroyed_the_next_one_is_current(token, monkeypatch):
    """The cut between the two steps on the token."""
    keys = keys_of(token)
    keys.current()
    coming = keys.make_next()
    keys._token.call(lambda session: pkcs11._destroy(session, "device"))
    found = keys_of(token, may_create=False)
    assert found.current().public_key == coming.public_key
    assert found.take(key_id(coming.public_key)).public_key == coming.public_key
    assert found._token.call(lambda s: len(pkcs11._pairs(s, "device"))) == 1


def test_no_pin_in_any_log_error_or_repr(token, caplog):
    caplog.set_level(logging.DEBUG)
    wrong = "wrong-secret-4712"
    shown = []
    key = keys_of(token).current()
    shown += [repr(key), repr(key._token), str(vars(key)), str(vars(key._token))]
    token.write_pin(wrong)
    try:
        keys_of(token).current()
    except TokenError as error:
        shown += ["".join(traceback.format_exception(error)), repr(error.__context__)]
    token.take_out()
    token.write_pin(PIN)
    try:
        key._token._session = None
        key.sign(b"data")
    except TokenError as error:
        shown += ["".join(traceback.format_exception(error))]
    refused = token.settings.pin_file.with_name("token.pin.refused")
    told = "\n".join([*shown, caplog.text, refused.read_text(), *os.listdir(token.folder)])
    assert len(shown) == 7
    assert PIN not in told
    assert wrong not in told
