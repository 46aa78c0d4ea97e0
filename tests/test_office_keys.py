"""From which record to which a key is good (issue: "rotation of the key inside the chain")."""

from __future__ import annotations

import pytest

from firmware.journal.algorithms import ES256, Ed25519Signer, key_id
from firmware.journal.enrolment import Enrolment
from firmware.journal.kinds import KIND_KEY_CHANGE, KIND_TAMPER, PROFILE_DEVELOPMENT
from firmware.journal.record import NO_PREVIOUS, RecordError, build
from office import folder, keys
from office.check import check
from office.errors import Refused
from office.folder import Folder
from office.intake import Intake
from office.keys import DeviceKey, KeyRefused, for_record, for_statement, with_changes
from tests.office_rig import T0_MS, Terminal, enrol, take
from tests.test_algorithms import P256Signer, Sm2Signer

UNIT = "unit-1"
OLD, NEW, THIRD = (Ed25519Signer(bytes([each] * 32)) for each in (1, 2, 3))
P256 = P256Signer()


def made(number, signer, body, kind=KIND_KEY_CHANGE) -> bytes:
    return build(
        kind, body, unit=UNIT, number=number, boot=1, time_ms=1, trust=0,
        profile=PROFILE_DEVELOPMENT, previous=NO_PREVIOUS, signer=signer,
    ).raw  # fmt: skip


def change(number, old, new, algorithm=None) -> bytes:
    return made(number, old, {53: new.public_key, 64: -(algorithm or new.algorithm)})


def first_key(signer=OLD) -> DeviceKey:
    return DeviceKey(signer.algorithm, signer.public_key, 1, None)


def spans(known) -> list[tuple[bytes, int, int | None]]:
    return [(each.key_id, each.first, each.last) for each in known]


def test_a_change_ends_one_key_and_begins_the_other():
    known = with_changes([first_key()], [change(10, OLD, P256)])
    assert spans(known) == [
        (key_id(P256.public_key), 10, None),
        (key_id(OLD.public_key), 1, 10),
    ]
    assert known[0].algorithm == ES256


@pytest.mark.parametrize(
    ("signer", "number", "is_good"),
    [(OLD, 1, True), (OLD, 10, True), (OLD, 11, False),
     (NEW, 9, False), (NEW, 10, True), (NEW, 99, True), (THIRD, 5, False)],
    ids=range(7),
)  # fmt: skip
def test_after_the_change_the_old_key_signs_nothing(signer, number, is_good):
    known = with_changes([first_key()], [change(10, OLD, NEW)])
    assert (for_record(known, key_id(signer.public_key), number) is not None) == is_good


@pytest.mark.parametrize(
    ("signer", "first", "last", "is_good"),
    [(OLD, 1, 9, True), (OLD, 10, 20, True), (OLD, 11, 20, False),
     (NEW, 1, 9, False), (NEW, 1, 10, True), (NEW, 11, 20, True)],
    ids=range(6),
)  # fmt: skip
def test_a_statement_is_good_under_a_key_of_any_record_it_covers(signer, first, last, is_good):
    """NEW, 1-10: a batch that ends with the KEY_CHANGE is sealed by the key that follows."""
    known = with_changes([first_key()], [change(10, OLD, NEW)])
    assert (for_statement(known, key_id(signer.public_key), first, last) is not None) == is_good


def test_a_record_is_read_only_under_a_key_that_is_good_for_it():
    known = with_changes([first_key()], [change(10, OLD, NEW)])
    for number, signer, is_good in ((10, OLD, True), (11, OLD, False), (9, NEW, False)):
        raw = made(number, signer, {50: "x"}, KIND_TAMPER)
        if is_good:
            assert keys.read(raw, known).number == number
        else:
            with pytest.raises(RecordError, match=f"not good for record {number}"):
                keys.read(raw, known)


def test_changes_follow_one_another_in_one_batch():
    known = with_changes([first_key()], [change(5, OLD, NEW), change(6, NEW, THIRD)])
    assert [(each.first, each.last) for each in known] == [(6, None), (5, 6), (1, 5)]


def test_a_change_that_was_followed_before_changes_nothing():
    once = with_changes([first_key()], [change(10, OLD, NEW)])
    assert with_changes(once, [change(10, OLD, NEW)]) == once


def spoilt(raw: bytes) -> bytes:
    return raw[:-1] + bytes([raw[-1] ^ 1])


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (change(10, NEW, THIRD), "unknown key"),
        (spoilt(change(10, OLD, NEW)), "signature is wrong"),
        (made(10, OLD, {50: "x"}, KIND_TAMPER), "no KEY_CHANGE"),
        (change(10, OLD, OLD), "had before"),
        (change(10, OLD, NEW, ES256), "a public key of ES256"),
        (change(10, OLD, Sm2Signer()), "not known"),
        (b"garbage", "not a tagged"),
    ],
    ids=range(7),
)
def test_a_change_is_refused_that_is_none(raw, why):
    with pytest.raises(KeyRefused, match=why):
        with_changes([first_key()], [raw])


def test_the_old_key_makes_no_second_successor():
    """A thief who has the old key, after the change."""
    known = with_changes([first_key()], [change(10, OLD, NEW)])
    with pytest.raises(KeyRefused, match="not good for record 11"):
        with_changes(known, [change(11, OLD, THIRD)])
    with pytest.raises(KeyRefused, match="had before"):
        with_changes(known, [change(12, NEW, OLD)])


@pytest.fixture
def office(tmp_path):
    folder.init(tmp_path / "office", "Test office")
    found = Folder(tmp_path / "office")
    yield found
    found.close()


def enrolment(signer) -> Enrolment:
    return Enrolment(UNIT, signer.algorithm, signer.public_key, "110000", 1, None)


def test_what_was_found_is_kept_and_found_again(office):
    store = office.store
    keys.enrol(store, enrolment(OLD), b"request", 1000)
    raw = change(10, OLD, P256)
    known = with_changes(keys.keys_of(store, UNIT), [raw])
    for _ in range(2):
        with store.transaction():
            keys.keep_changes(store, UNIT, known, 2000)
        assert keys.keys_of(store, UNIT) == known
    assert keys.keys_of(store, UNIT)[0].request == raw
    assert keys.keys_of(store, "unit-2") == []


@pytest.mark.parametrize(("until", "last"), [(None, 0), (7, 7)])
def test_a_key_exchanged_by_a_person_ends_where_the_store_ends_or_where_that_person_says(
    office, until, last
):
    keys.enrol(office.store, enrolment(OLD), b"1", 1000)
    keys.enrol(office.store, enrolment(NEW), b"2", 2000, until)
    assert spans(keys.keys_of(office.store, UNIT)) == [
        (key_id(NEW.public_key), last + 1, None),
        (key_id(OLD.public_key), 1, last),
    ]


def changing(terminal, new) -> int:
    """KEY_CHANGE in the terminal's chain; its number."""
    body = {53: new.public_key, 64: -new.algorithm}
    number = terminal.add(KIND_KEY_CHANGE, body)
    terminal.signer = new
    return number


@pytest.mark.parametrize("new", [NEW, P256], ids=["Ed25519", "P-256"])
@pytest.mark.parametrize("is_last", [True, False])
def test_the_office_follows_a_change_by_itself(office, new, is_last):
    """is_last: the batch ends with the KEY_CHANGE, or goes on behind it."""
    terminal = Terminal(UNIT)
    enrol(office, terminal)
    terminal.purchase("order-1")
    assert take(office, UNIT, terminal.batch()).records == 2
    number = changing(terminal, new)
    if not is_last:
        terminal.purchase("order-2", serial=2)
    assert take(office, UNIT, terminal.batch()).records == (1 if is_last else 3)
    assert [(each.first, each.last) for each in keys.keys_of(office.store, UNIT)] == [
        (number, None),
        (1, number),
    ]
    terminal.purchase("order-3", serial=3)
    assert take(office, UNIT, terminal.batch()).records == 2
    assert check(office).is_whole


def test_batches_of_one_transaction_follow_the_change_in_the_first(office):
    terminal = Terminal(UNIT)
    enrol(office, terminal)
    terminal.purchase("order-1")
    changing(terminal, NEW)
    files = [terminal.batch()]
    changing(terminal, THIRD)
    terminal.purchase("order-2", serial=2)
    files.append(terminal.batch())
    terminal.purchase("order-3", serial=3)
    files.append(terminal.batch())
    taken = Intake(office, now_s=lambda: T0_MS / 1000).take([(UNIT, each) for each in files])
    assert [each.records for each in taken] == [3, 3, 2]
    assert len(keys.keys_of(office.store, UNIT)) == 3


def test_what_the_old_key_signs_after_the_change_is_refused(office):
    terminal = Terminal(UNIT)
    enrol(office, terminal)
    terminal.purchase("order-1")
    old = terminal.signer
    changing(terminal, NEW)
    take(office, UNIT, terminal.batch())
    terminal.signer = old
    terminal.purchase("order-2", serial=2)
    with pytest.raises(Refused, match=r"802.*not known or not good"):
        take(office, UNIT, terminal.batch())
    terminal.batches -= 1
    terminal.skip(-2)
    terminal.signer = NEW  # a statement by the right key over records by the old one
    with pytest.raises(Refused, match="802"):
        take(office, UNIT, terminal.batch(previous=bytes(32)))


def test_a_change_by_a_stranger_is_not_followed(office):
    terminal = Terminal(UNIT)
    enrol(office, terminal)
    terminal.signer = THIRD
    changing(terminal, NEW)
    with pytest.raises(Refused, match=r"802.*unknown key"):
        take(office, UNIT, terminal.batch())
    assert len(keys.keys_of(office.store, UNIT)) == 1
