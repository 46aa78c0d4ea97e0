"""The device key changes inside the chain (issue: "rotation of the key inside the chain")."""

from __future__ import annotations

import os

import pytest

from firmware.clock import Clock
from firmware.journal import batch, cose, rotation, spool, store
from firmware.journal.algorithms import key_id
from firmware.journal.devicekey import FileKeys
from firmware.journal.kinds import KIND_KEY_CHANGE, KIND_START, KIND_TAMPER, PROFILE_DEVELOPMENT
from firmware.journal.rotation import SuccessorError, rotate
from firmware.journal.schema import JournalDamagedError
from firmware.journal.store import Journal
from tests.journal_maker import TEST_DEVICE_KEY
from tests.token_rig import needs_softhsm, soft_token

UNIT = "unit-1"
NOTE = {50: "note"}


class Torn(BaseException):
    """Power is cut here."""


def open_journal(folder, keys) -> Journal:
    return Journal.open(
        folder / "journal.db",
        signer=keys.current(),
        unit=UNIT,
        profile=PROFILE_DEVELOPMENT,
        clock=Clock(has_rtc=True, trust_h=48, utc_offset_minutes=480),
        min_free_mb=1,
        take=keys.take,
    )


def start(journal):
    body = {53: journal.signer.public_key, 54: "test", 55: bytes(16)}
    return journal.append(KIND_START, body)


def signers(journal) -> list[bytes]:
    """The key ids of all records, in order; every one verifies."""
    found = journal.records(limit=1000)
    assert [each.number for each in found] == list(range(1, journal.head()[0] + 1))
    return [cose.peek1(each.raw).key_id for each in found]


@pytest.fixture(params=["file", pytest.param("token", marks=needs_softhsm)])
def make_keys(request, tmp_path, monkeypatch):
    """Where a unit's key lives; called again as a new start would."""
    if request.param == "file":
        return lambda: FileKeys(tmp_path / "device.key")
    from firmware.journal.pkcs11 import TokenKeys

    token = soft_token(tmp_path / "hsm", monkeypatch)
    return lambda: TokenKeys(token.settings, may_create=not (tmp_path / "journal.db").exists())


def test_the_old_key_signs_its_successor_and_nothing_after_it(tmp_path, make_keys):
    keys = make_keys()
    journal = open_journal(tmp_path, keys)
    old = key_id(journal.signer.public_key)
    start(journal)
    journal.append(KIND_TAMPER, NOTE, ride=True)  # what rides is written before the change
    change = rotate(journal, keys)
    new = key_id(journal.signer.public_key)
    journal.append(KIND_TAMPER, NOTE)
    assert change.kind == KIND_KEY_CHANGE
    assert change.body == {53: journal.signer.public_key, 64: -journal.signer.algorithm}
    assert signers(journal) == [old, old, old, new]
    journal.close()

    again = open_journal(tmp_path, make_keys())
    assert key_id(again.signer.public_key) == new
    start(again)
    assert signers(again) == [old, old, old, new, new]
    assert again.ends == {old: change.number}
    again.close()


def test_every_step_torn_leaves_one_key_in_force_and_a_whole_chain(tmp_path, monkeypatch):
    """A cut before KEY_CHANGE is on the disk: the old key.  After it: the new one.  Never both."""
    steps = [
        (os, "link"), (os, "replace"), (spool, "sync_folder"), (Journal, "keep_key"),
        (Journal, "append"), (Journal, "sign_with"), (Journal, "set_counter"),
    ]  # fmt: skip
    seen = set()
    for when in ("before", "after"):
        for at, (where, name) in enumerate(steps):
            folder = tmp_path / f"{when}-{at}"
            folder.mkdir()
            keys = FileKeys(folder / "device.key")
            journal = open_journal(folder, keys)
            start(journal)
            old = key_id(journal.signer.public_key)
            real = getattr(where, name)

            def torn(*arguments, real=real, when=when, **named):
                if when == "after":
                    real(*arguments, **named)
                raise Torn

            with monkeypatch.context() as patch:
                patch.setattr(where, name, torn)
                with pytest.raises(Torn):
                    rotate(journal, keys)
            journal._writer.close()  # as the kernel would, after a kill; nothing more is written

            keys = FileKeys(folder / "device.key")
            again = open_journal(folder, keys)
            is_changed = any(each.kind == KIND_KEY_CHANGE for each in again.records(limit=9))
            in_force = key_id(again.signer.public_key)
            assert (in_force != old) == is_changed, (when, name)
            start(again)
            expected = [old, old, in_force] if is_changed else [old, old]
            assert signers(again) == expected, (when, name)
            assert again.ends == ({old: 2} if is_changed else {})
            rotate(again, keys)  # and it can be changed again
            again.append(KIND_TAMPER, NOTE)
            assert len(set(signers(again))) == 2 + is_changed
            again.close()
            seen.add(is_changed)
    assert seen == {True, False}


def test_an_old_key_put_back_is_refused_at_the_start(tmp_path):
    path = tmp_path / "device.key"
    keys = FileKeys(path)
    journal = open_journal(tmp_path, keys)
    start(journal)
    backup = path.read_bytes()
    rotate(journal, keys)
    journal.close()
    path.write_bytes(backup)
    with pytest.raises(SuccessorError, match="put that one back"):
        open_journal(tmp_path, FileKeys(path))


def test_an_old_key_put_back_later_is_refused_too(tmp_path):
    path = tmp_path / "device.key"
    keys = FileKeys(path)
    journal = open_journal(tmp_path, keys)
    start(journal)
    backup = path.read_bytes()
    rotate(journal, keys)
    journal.append(KIND_TAMPER, NOTE)
    journal.close()
    path.write_bytes(backup)
    with pytest.raises(SuccessorError, match="was changed at a record"):
        open_journal(tmp_path, FileKeys(path))


def test_a_lost_key_without_a_change_still_gives_a_new_one(tmp_path):
    """The file is removed by a technician: enrolled again, not rotated."""
    path = tmp_path / "device.key"
    journal = open_journal(tmp_path, FileKeys(path))
    start(journal)
    journal.close()
    path.unlink()
    again = open_journal(tmp_path, FileKeys(path))
    start(again)
    assert len(set(signers(again))) == 2
    again.close()


def test_a_record_the_old_key_signed_after_the_change_is_damage(tmp_path):
    keys = FileKeys(tmp_path / "device.key")
    journal = open_journal(tmp_path, keys)
    start(journal)
    old = journal.signer
    rotate(journal, keys)
    journal.signer = old  # whoever has the old key
    forged = journal.append(KIND_TAMPER, NOTE)
    with pytest.raises(JournalDamagedError, match="was changed at record 2"):
        journal.get(forged.number)
    journal.close()


def test_the_keys_and_their_ends_survive_the_loss_of_the_database(tmp_path):
    keys = FileKeys(tmp_path / "device.key")
    journal = open_journal(tmp_path, keys)
    start(journal)
    before = [key_id(journal.signer.public_key)]
    for _ in range(3):
        rotate(journal, keys)
        before.append(key_id(journal.signer.public_key))
        journal.append(KIND_TAMPER, NOTE)
    last = journal.head()[0]
    ends = journal.ends
    journal.checkpoint()
    journal.close()
    with (tmp_path / "journal.db").open("r+b") as file:
        file.write(bytes(100))
    again = open_journal(tmp_path, FileKeys(tmp_path / "device.key"))
    kept = [each for each in again.records(limit=1000) if each.number <= last]
    assert [each.number for each in kept] == list(range(1, last + 1))
    assert again.ends == ends
    assert len(ends) == 3
    again.close()


def test_a_change_is_finished_before_damage_is_declared(tmp_path, monkeypatch):
    """The DAMAGE that a start writes must not be signed by the old key."""
    keys = FileKeys(tmp_path / "device.key")
    journal = open_journal(tmp_path, keys)
    start(journal)
    for _ in range(3):
        journal.append(KIND_TAMPER, NOTE)
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(Torn()))
        with pytest.raises(Torn):
            rotate(journal, keys)
    journal.write("UPDATE records SET raw = x'00' WHERE number = 2")
    journal._writer.close()
    again = open_journal(tmp_path, FileKeys(tmp_path / "device.key"))
    newest = again.records(limit=1000)[-1]
    assert newest.kind_name == "DAMAGE"
    assert cose.peek1(newest.raw).key_id == key_id(again.signer.public_key)
    assert again.damaged_ranges() == [(2, 2)]
    again.close()


def test_a_change_is_finished_before_a_lost_database_is_declared(tmp_path, monkeypatch):
    """The same where the power cut took the database, too."""
    keys = FileKeys(tmp_path / "device.key")
    journal = open_journal(tmp_path, keys)
    start(journal)
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(Torn()))
        with pytest.raises(Torn):
            rotate(journal, keys)
    journal.checkpoint()
    journal._writer.close()
    with (tmp_path / "journal.db").open("r+b") as file:
        file.write(bytes(100))
    again = open_journal(tmp_path, FileKeys(tmp_path / "device.key"))
    change = next(each for each in again.records() if each.kind == KIND_KEY_CHANGE)
    new = again.records(change.number, 1000)
    assert [each.kind_name for each in new] == ["DAMAGE"]
    assert {cose.peek1(each.raw).key_id for each in new} == {key_id(change.body[53])}
    again.close()


def test_the_key_files_are_the_units_alone(tmp_path):
    keys = FileKeys(tmp_path / "device.key")
    keys.current()
    keys.make_next()
    for name in ("device.key", "device.key.next"):
        assert (tmp_path / name).stat().st_mode & 0o7777 == 0o600
    assert sorted(os.listdir(tmp_path)) == ["device.key", "device.key.next"]


def test_rotation_names_are_those_of_the_journal():
    assert rotation.ENDS == "ends "  # as View reads it
    assert TEST_DEVICE_KEY.algorithm == -8
    assert store.rotation is rotation


def test_every_statement_is_signed_by_a_key_that_its_records_make_known(tmp_path, make_keys):
    """Whoever verifies in order knows the key of a statement, or learns it from a KEY_CHANGE in
    its batch (docs/records.md): records of before the change are sealed before it."""
    keys = make_keys()
    journal = open_journal(tmp_path, keys)
    known = {key_id(journal.signer.public_key)}
    start(journal)
    for _ in range(6):
        journal.append(KIND_TAMPER, NOTE)
    batch.seal(journal, 3)
    change = rotate(journal, keys)
    batch.seal(journal)
    journal.append(KIND_TAMPER, NOTE)
    batch.seal(journal)
    rows = journal.rows("SELECT first, last, header FROM batches ORDER BY batch")
    assert [row[:2] for row in rows] == [(1, 3), (4, 7), (8, 8), (9, 9)]
    assert change.number == 8
    for first, last, statement in rows:
        covered = [journal.get(number) for number in range(first, last + 1)]
        known |= {key_id(each.body[53]) for each in covered if each.kind == KIND_KEY_CHANGE}
        signer = cose.peek1(statement).key_id
        assert signer in known
