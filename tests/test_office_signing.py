"""The office changes its key and signs anew; parameters, releases; units, receipts and proofs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from firmware.journal import cose
from firmware.journal.batch import take_apart
from firmware.journal.proof import verify_proof
from firmware.journal.receipt import parse_receipt
from firmware.journal.signedfile import signed_file, split
from office import folder, rekey, signedfiles
from office.__main__ import main
from office.check import check
from office.folder import Folder
from office.offered import Offers
from tests.office_rig import Terminal, enrol, take
from tests.rig import Rig
from tests.test_officefiles import EDIT, bring, refusals

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def place(tmp_path, monkeypatch):
    folder.init(tmp_path / "office", "Office 1")
    monkeypatch.setenv("SSCOFFICE_DIR", str(tmp_path / "office"))
    return tmp_path / "office"


def run(*arguments: object) -> int:
    return main([str(each) for each in arguments])


def told(capsys, *arguments: object) -> Any:
    capsys.readouterr()
    assert run(*arguments, "--json") == 0
    return json.loads(capsys.readouterr().out)


def offered(place: Path, unit: str = "unit-1") -> dict[str, bytes]:
    office = Folder(place)
    try:
        return {each.what: each.content for each in Offers(office).of(unit)}
    finally:
        office.close()


def make_unit(folder: Path, place: Path) -> Rig:
    (folder / "office.pub").write_bytes((place / "office.pub").read_bytes())
    return Rig(folder, edit=EDIT)


def hand_over(rig: Rig, place: Path) -> None:
    files = offered(place, rig.unit.journal.unit)
    for what in sorted(files, key=lambda each: each != "officekey"):
        bring(rig, what, files[what])


def test_a_unit_follows_the_office_through_two_changes_of_its_key(place, tmp_path):
    """Everything in force is signed anew, so a unit made today needs no old key."""
    rig = make_unit(tmp_path, place)
    unit = rig.unit.journal.unit
    enrolled = Terminal(unit)
    office = Folder(place)
    enrol(office, enrolled)
    office.close()
    assert run("stop-list", "add", "--psam", "990100000009", "--out", tmp_path / "s") == 0
    assert run("parameters", "limits.transaction_fen=777") == 0
    assert run("revoke", unit, "--since", "2026-11-22", "--reason", "lost") == 0
    assert run("update", "9.9", tmp_path / "s") == 0
    hand_over(rig, place)
    first = rig.unit.office_keys.signing
    for number in (1, 2):
        assert run("officekey", "rotate") == 0
        hand_over(rig, place)
        assert rig.unit.office_keys.number == number
    assert rig.unit.office_keys.signing != first
    assert rig.unit.office_keys.chain[0] == first
    assert refusals(rig) == []
    (tmp_path / "fresh").mkdir()
    fresh = make_unit(tmp_path / "fresh", place)
    for each in (rig, fresh):
        hand_over(each, place)
        assert each.unit.board.limits.transaction_fen == 777
        assert each.unit.is_stopped
        assert each.unit.update is not None
        assert each.unit.stop_list.names_psam(bytes.fromhex("990100000009"))
    assert run("reinstate", unit) == 0
    hand_over(rig, place)
    assert not rig.unit.is_stopped


@pytest.mark.parametrize("step", ["seed", "signed", "renamed"])
def test_a_change_cut_off_at_any_step_is_completed_or_forgotten(place, monkeypatch, step):
    office = Folder(place)
    with office.store.transaction():
        signedfiles.sign(office, "parameters", {}, 1)
    before = office.signer.public_key

    def cut(*arguments: object) -> None:
        raise KeyboardInterrupt

    where = {
        "seed": (signedfiles, "sign"),
        "signed": (Folder, "settle_key"),
        "renamed": (rekey, "resign"),
    }
    with monkeypatch.context() as patch:
        patch.setattr(*where[step], cut)
        with pytest.raises(KeyboardInterrupt):
            rekey.rotate(office, 2)
    office.close()
    office = Folder(place)
    is_changed = step != "seed"
    assert (office.signer.public_key != before) == is_changed
    assert bytes.fromhex((place / "office.pub").read_text().split()[0]) == office.signer.public_key
    assert rekey.resign(office, 3) == (["parameters"] if is_changed else [])
    assert rekey.resign(office, 3) == []
    raw = signedfiles.newest(office.store, "parameters")
    assert signed_file(split(raw)[0], office.signer.public_key).what == "parameters"
    rekey.rotate(office, 4)
    office.close()
    assert not (place / "office.key.next").exists()


def test_receipts_are_signed_anew_when_they_are_asked_for(place):
    office = Folder(place)
    terminal = Terminal()
    enrol(office, terminal)
    terminal.purchase("A1")
    batch = terminal.batch()
    first = take(office, "unit-1", batch).receipt
    rekey.rotate(office, 2)
    again = take(office, "unit-1", batch).receipt
    one = parse_receipt(again, office.signer.public_key, take_apart(batch)[0])
    assert (one.index, again != first) == (0, True)
    office.close()


def test_a_process_that_serves_meanwhile_signs_with_the_new_key_at_once(place):
    """Else units that follow the office would refuse its receipts until it is restarted."""
    serving, other = Folder(place), Folder(place)
    terminal = Terminal()
    enrol(serving, terminal)
    offers = Offers(serving)
    with other.store.transaction():
        signedfiles.sign(other, "parameters", {}, 1)
    assert [each.what for each in offers.of("unit-1")] == ["parameters"]
    rekey.rotate(other, 2)
    terminal.purchase("A1")
    batch = terminal.batch()
    receipt = take(serving, "unit-1", batch).receipt
    parse_receipt(receipt, other.signer.public_key, take_apart(batch)[0])
    offered_now = {each.what: each.content for each in offers.of("unit-1")}
    assert set(offered_now) == {"officekey", "parameters"}
    signed_file(split(offered_now["parameters"])[0], other.signer.public_key)
    serving.close()
    other.close()


def test_a_new_tree_is_said_only_when_it_is_asked_for(place):
    for flag in (False, True):
        office = Folder(place)
        raw = rekey.rotate(office, 2, is_new_tree=flag)
        office.close()
        assert signedfiles.body_of(raw).get(4, False) is flag


@pytest.mark.parametrize(
    "wrong", ["unit.id=1", "limits.day_fen", "limits.day_fen=-1", "limits.day_fen=x"]
)
def test_a_wrong_parameter_signs_nothing(place, capsys, wrong):
    assert run("parameters", wrong) == 1
    assert "Error 917" in capsys.readouterr().err
    assert run("parameters") == 2


def test_parameters_are_shown_and_cleared(place, capsys):
    told(capsys, "parameters", "limits.day_fen=5", "uplink.batch_records=9")
    assert told(capsys, "parameters") == {"limits.day_fen": 5, "uplink.batch_records": 9}
    told(capsys, "parameters", "--clear")
    assert run("parameters") == 2
    assert signedfiles.body_of(split(offered(place)["parameters"])[0]) == {}


def test_units_receipts_and_proofs(place, capsys, tmp_path):
    assert run("units") == 2
    office = Folder(place)
    terminal = Terminal()
    enrol(office, terminal)
    terminal.add(16, {53: terminal.signer.public_key, 54: "1.2.3", 55: bytes(16)})
    terminal.add(17, {3: bytes(6), 4: bytes(4), 41: True})
    intent = terminal.purchase("A1")
    batch = terminal.batch()
    receipt = take(office, "unit-1", batch).receipt
    public = office.signer.public_key
    office.close()
    (found,) = told(capsys, "units")
    assert (found["unit"], found["release"], found["psam"]) == ("unit-1", "1.2.3", "00" * 6)
    assert (found["records"], found["missing"], found["revoked_ms"]) == (4, 0, None)
    assert run("receipt", "unit-1", 1, "--out", tmp_path / "r") == 0
    assert (tmp_path / "r").read_bytes() == receipt
    assert run("receipt", "unit-1", "--record", intent, "--out", tmp_path / "p") == 0
    keys = {cose.key_id(terminal.signer.public_key): terminal.signer.public_key}
    proven = verify_proof((tmp_path / "p").read_bytes(), keys, public)
    assert (proven.record.number, proven.receipt is not None) == (intent, True)
    for wrong in (("unit-1", 2), ("unit-1", "--record", 99), ("nobody", 1)):
        assert run("receipt", *wrong) == 3
    assert run("receipt", "unit-1") == 3


def test_what_an_earlier_key_of_the_office_signed_is_verified_still(place, tmp_path):
    """No receipt is signed anew by itself; keys.json and `check` know every key there was."""
    office = Folder(place)
    terminal = Terminal()
    enrol(office, terminal)
    for card, order in enumerate(("A1", "A2", "A3"), 1):
        terminal.purchase(order, card=card)
        batch = terminal.batch()
        receipt = take(office, "unit-1", batch).receipt
        (tmp_path / f"{order}.batch").write_bytes(batch)
        (tmp_path / f"{order}.receipt").write_bytes(receipt)
        rekey.rotate(office, 2)
    assert len(office.former_keys()) == 3
    assert check(office).is_whole
    assert run("keys", "--out", tmp_path / "keys.json") == 0
    assert run("verify", tmp_path, "--keys", tmp_path / "keys.json") == 0
    tool = [sys.executable, "-I", "tools/verify_records.py", tmp_path]
    command = [*tool, "--keys", tmp_path / "keys.json"]
    assert subprocess.run(command, cwd=ROOT, capture_output=True, timeout=60).returncode == 0

    spoilt = bytearray((tmp_path / "A1.receipt").read_bytes())
    spoilt[-1] ^= 1  # of its signature
    with office.store.transaction():
        office.store.write("UPDATE batches SET receipt = ? WHERE batch = 1", bytes(spoilt))
    assert any("batch 1: receipt" in each for each in check(office).problems)
    office.close()
