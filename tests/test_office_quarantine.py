"""Quarantine: a revoked unit's records and spoilt batches leave the books and are never deleted."""

import json

import pytest

from firmware.journal.signedfile import UNITSTOP, signed_file
from office import deep, quarantine
from office.__main__ import main
from office.check import check
from office.errors import OfficeError, Refused
from office.folder import Folder
from tests.office_rig import DATABASES, T0_MS, Terminal, enrol, made_office, spoil, take


@pytest.fixture(params=DATABASES)
def office(request, tmp_path):
    office = made_office(tmp_path, request.param)
    yield office
    office.close()


@pytest.fixture
def terminal(office):
    """Two batches in the books: records 1-4 and 5-8, each a second after the one before."""
    terminal = Terminal()
    enrol(office, terminal)
    for start in (0, 2):
        for serial in (start, start + 1):
            terminal.purchase(f"A{serial}", serial=serial)
        take(office, "unit-1", terminal.batch())
    return terminal


def booked(office):
    sql = "SELECT (SELECT count(*) FROM records), (SELECT count(*) FROM payments WHERE state = 2)"
    return office.store.row(sql)


def test_revoking_takes_later_records_out_of_the_books_and_keeps_them(office, terminal):
    file = office.store.file("unit-1", 2)
    assert booked(office) == (8, 4)
    assert quarantine.revoke(office.store, "unit-1", T0_MS + 6_000) == [2]
    assert booked(office) == (4, 2)
    assert office.store.file("unit-1", 2) == file
    found = check(office)
    assert found.quarantined == [("unit-1", 2, "revoked")]
    assert (found.records, found.verified, found.missing, found.problems) == (4, 4, [], [])
    assert not found.is_whole


def test_what_a_revoked_unit_sends_is_stored_and_not_booked(office, terminal):
    quarantine.revoke(office.store, "unit-1", T0_MS + 9_000)
    terminal.purchase("A9", serial=9)
    raw = terminal.batch()
    for _ in range(2):
        with pytest.raises(Refused) as caught:
            take(office, "unit-1", raw)
        assert caught.value.number == 808
    assert office.store.file("unit-1", 3) == raw
    assert booked(office) == (8, 4)
    assert list(office.refused.glob("*.batch")) == []


def test_records_from_before_the_revocation_are_booked(office, terminal):
    """The last honest day still has to be paid: the carrier brings it by hand."""
    terminal.purchase("A9", serial=9)
    raw = terminal.batch()
    quarantine.revoke(office.store, "unit-1", T0_MS + 60_000)
    assert take(office, "unit-1", raw).is_new
    assert booked(office) == (10, 5)


def test_reinstating_brings_everything_back(office, terminal):
    quarantine.revoke(office.store, "unit-1", T0_MS + 6_000)
    terminal.purchase("A9", serial=9)
    raw = terminal.batch()
    with pytest.raises(Refused):
        take(office, "unit-1", raw)
    assert quarantine.reinstate(office.store, "unit-1") == [2]
    assert take(office, "unit-1", raw).is_new
    assert booked(office) == (10, 5)
    assert check(office).is_whole


def test_an_outcome_in_quarantine_leaves_its_payment_open(office):
    """INTENT before the revocation, DONE after it."""
    terminal = Terminal()
    enrol(office, terminal)
    terminal.purchase("A1")
    done = terminal.records.pop()
    take(office, "unit-1", terminal.batch())
    terminal.records.append(done)
    take(office, "unit-1", terminal.batch())
    assert booked(office) == (2, 1)
    assert quarantine.revoke(office.store, "unit-1", T0_MS + 2_000) == [2]
    row = office.store.row("SELECT card_id, state, settled FROM payments")
    assert row == (bytes([1] * 16), None, None)


def test_a_unit_nobody_enrolled_cannot_be_revoked(office):
    with pytest.raises(OfficeError) as caught:
        quarantine.revoke(office.store, "unit-9", 1)
    assert caught.value.number == 801


# --- deep ---


def test_deep_verifies_every_record_and_tells_how_far_it_is(office, terminal):
    told = []
    assert deep.verify(office.store, lambda *each: told.append(each), processes=1) == []
    assert told == [(4, 8), (8, 8)]


def test_a_wrong_record_found_later_takes_its_batch_out_of_the_books(office, terminal, monkeypatch):
    """Signed by the terminal over a wrong record: the statement's root is right."""
    wrong = Terminal("unit-2", seed=2)
    enrol(office, wrong)
    wrong.purchase("B1", card=2)
    bad = wrong.records[1].raw
    object.__setattr__(wrong.records[1], "raw", bad[:-1] + bytes([bad[-1] ^ 1]))
    monkeypatch.setattr("office.transaction.CHECKED_PERCENT", 0)
    take(office, "unit-2", wrong.batch())
    assert booked(office) == (10, 5)
    (found,) = deep.verify(office.store, lambda *_: None, processes=2)
    assert found[:2] == ("unit-2", 1)
    assert "record 2: the signature is wrong" in found.why
    assert booked(office) == (8, 4)
    assert check(office).quarantined == [("unit-2", 1, "spoilt")]


def test_the_records_chosen_at_random_are_verified_at_once(office, monkeypatch):
    monkeypatch.setattr("office.transaction.CHECKED_PERCENT", 100)
    wrong = Terminal("unit-2", seed=2)
    enrol(office, wrong)
    wrong.purchase("B1", card=2)
    bad = wrong.records[1].raw
    object.__setattr__(wrong.records[1], "raw", bad[:-1] + bytes([bad[-1] ^ 1]))
    with pytest.raises(Refused) as caught:
        take(office, "unit-2", wrong.batch())
    assert caught.value.number == 802


def test_a_record_that_is_opened_is_verified(office, terminal):
    assert deep.open_record(office.store, "unit-1", 5).number == 5
    spoil(office.store, "unit-1", 6)
    fresh = Folder(office.path)
    with pytest.raises(OfficeError) as caught:
        deep.open_record(fresh.store, "unit-1", 6)
    fresh.close()
    assert caught.value.number == 802
    assert office.store.batch("unit-1", 2).quarantined == "spoilt"
    assert not check(office).is_whole


# --- commands ---


def test_revoke_and_reinstate_sign_a_stop_for_the_unit(office, terminal, tmp_path, capsys):
    argv = ["--dir", str(office.path), "--out", str(tmp_path / "stop.cose"), "--json"]
    assert main(["revoke", "unit-1", "--since", "2026-11-22T10:00", "--reason", "lost", *argv]) == 0
    assert json.loads(capsys.readouterr().out) == {"unit": "unit-1", "batches": [1, 2]}
    key = office.signer.public_key
    stop = signed_file((tmp_path / "stop.cose").read_bytes(), key)
    assert (stop.what, stop.number, stop.body) == (UNITSTOP, 1, {1: "unit-1", 2: True, 3: "lost"})
    assert main(["reinstate", "unit-1", *argv]) == 0
    again = signed_file((tmp_path / "stop.cose").read_bytes(), key)
    assert (again.number, again.body[2]) == (2, False)
    assert booked(office) == (8, 4)


def test_check_deep_as_a_command(office, terminal, capsys):
    assert main(["check", "--deep", "--json", "--dir", str(office.path)]) == 0
    said = capsys.readouterr()
    assert json.loads(said.out)["deep"] == {"ok": True, "wrong": []}
    assert "8 / 8" in said.err


def test_a_time_that_is_none_is_said(office, terminal, capsys):
    assert main(["revoke", "unit-1", "--since", "noon", "--dir", str(office.path)]) == 1
    assert "Error 906" in capsys.readouterr().err
