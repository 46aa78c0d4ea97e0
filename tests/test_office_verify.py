"""`sscoffice verify` and `sscoffice keys`: exit codes, one JSON line a file, no store needed."""

from __future__ import annotations

import json

import pytest

from firmware.journal.batch import parse_batch
from office import folder
from office.__main__ import main
from office.folder import Folder
from tests.examine_rig import OFFICE, keys_of, terminal_with_eight
from tests.office_rig import T0_MS, Terminal, enrol, take
from tests.receipts import receipt_of


@pytest.fixture
def place(tmp_path):
    """A folder with one sound batch, its receipt, and the keys beside the folder."""
    terminal = terminal_with_eight()
    raw = terminal.batch()
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "00000001.batch").write_bytes(raw)
    stated = parse_batch(raw, terminal.signer.public_key).statement
    receipt = receipt_of(stated, OFFICE, T0_MS)
    (tmp_path / "in" / "00000001.receipt").write_bytes(receipt)
    (tmp_path / "keys.json").write_text(json.dumps(keys_of(terminal).to_json()))
    return tmp_path


def run(capsys, place, *more: str, of: str = "in") -> tuple[int, list[str]]:
    code = main(["verify", str(place / of), "--keys", str(place / "keys.json"), *more])
    return code, capsys.readouterr().out.splitlines()


def test_a_sound_folder(place, capsys):
    code, lines = run(capsys, place, "--json")
    assert code == 0
    assert [json.loads(each) for each in lines] == [
        {"file": "00000001.batch", "ok": True, "class": None, "space": None, "offset": None,
         "record": None, "records": 8}
    ]  # fmt: skip
    code, lines = run(capsys, place, of="in/00000001.batch")
    assert (code, len(lines)) == (0, 1)
    assert "1" in lines[0]


def test_every_file_is_told_even_after_a_wrong_one(place, capsys):
    raw = (place / "in" / "00000001.batch").read_bytes()
    (place / "in" / "00000000.batch").write_bytes(b"\x00" + raw[1:])
    (place / "in" / "notes.txt").write_bytes(b"not looked at")
    code, lines = run(capsys, place, "--json")
    told = [json.loads(each) for each in lines]
    assert (code, [each["ok"] for each in told]) == (1, [False, True])
    assert (told[0]["class"], told[0]["space"], told[0]["offset"]) == ("container", "file", 1)
    (place / "in" / "00000001.receipt").write_bytes(b"spoilt")
    assert [json.loads(each)["class"] for each in run(capsys, place, "--json")[1]] == [
        "container",
        "receipt",
    ]
    assert any("receipt 1" in each for each in run(capsys, place)[1])


def test_nothing_to_verify_and_nothing_found(place, capsys):
    (place / "empty").mkdir()
    assert run(capsys, place, of="empty")[0] == 2
    assert run(capsys, place, of="absent")[0] == 3
    (place / "keys.json").unlink()
    assert run(capsys, place)[0] == 3


@pytest.mark.parametrize("text", ["", "[]", '{"units": 1}', '{"units": {"a": [{}]}}', "\xff"])
def test_keys_of_another_form_are_named_as_the_error(place, capsys, text):
    (place / "keys.json").write_bytes(text.encode("latin-1"))
    code = main(["verify", str(place / "in"), "--keys", str(place / "keys.json")])
    assert code == 1
    assert "940" in capsys.readouterr().err


def test_the_keys_an_office_hands_out_verify_what_it_took_in(tmp_path, capsys):
    terminal = Terminal()
    terminal.purchase("A1")
    raw = terminal.batch()
    folder.init(tmp_path / "office", "Office 1")
    where = ("--dir", str(tmp_path / "office"))
    office = Folder(tmp_path / "office")
    enrol(office, terminal)
    taken = take(office, "unit-1", raw)
    office.close()
    (tmp_path / "1.batch").write_bytes(raw)
    (tmp_path / "1.receipt").write_bytes(taken.receipt)
    assert main(["keys", *where, "--out", str(tmp_path / "k")]) == 0
    assert main(["verify", str(tmp_path / "1.batch"), "--keys", str(tmp_path / "k")]) == 0
    capsys.readouterr()
    assert main(["keys", *where]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told == json.loads((tmp_path / "k").read_text())
    assert told["units"]["unit-1"][0]["public_key"] == terminal.signer.public_key.hex()
