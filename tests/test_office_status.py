"""Every act of `sscoffice` ends with 0 done, 1 failed, 2 nothing to do, 3 not found; see docs."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from office import status
from office.__main__ import _parser, main
from office.errors import ROWS
from office.folder import Folder
from tests.office_rig import Terminal, enrol, take

ROOT = Path(__file__).resolve().parents[1]

# act and what follows it -> its status in an office that knows nobody, in one with records
ACTS = {
    "units": (2, 0),
    "day": (2, 0),
    "day --date 2001-01-01": (2, 2),
    "day --date noon": (1, 1),
    "check": (2, 0),
    "check --deep": (2, 0),
    "report": (2, 0),
    "report --unit nobody": (3, 3),
    "report --date noon": (1, 1),
    "resolve": (2, 2),
    "export --csv {tmp}/x.csv": (2, 0),
    "export --parquet {tmp}/x.parquet": (2, 0),
    "export --csv {tmp}/x.csv --unit nobody": (3, 3),
    "export --csv {tmp}/none/x.csv": (1, 1),
    "export --parquet {tmp}/none/x": (1, 1),
    "receipt unit-1 1": (3, 0),
    "receipt unit-1 9": (3, 3),
    "receipt unit-1 --record 1": (3, 0),
    "receipt unit-1 --record 99": (3, 3),
    "keys": (0, 0),
    "keys --out {tmp}/none/k.json": (1, 1),
    "verify {tmp}/none --keys {tmp}/none": (3, 3),
    "certificate nobody": (3, 3),
    "enrol {tmp}/none --yes": (1, 1),
    "revoke nobody --since 2026-11-22": (3, 3),
    "revoke unit-1 --since noon": (1, 1),
    "revoke unit-1 --since 2030-01-01": (3, 0),
    "reinstate nobody": (3, 3),
    "reinstate unit-1": (3, 0),
    "reveal unit-1 1": (3, 3),
    "reveal unit-1": (3, 3),
    "parameters": (2, 2),
    "parameters limits.day_fen=1": (0, 0),
    "parameters unit.id=1": (1, 1),
    "officekey resign": (2, 2),
    "officekey rotate": (0, 0),
    "update 1.0 {tmp}/none": (1, 1),
    "stop-list make --out {tmp}/s": (0, 0),
    "stop-list remove --psam 010203040506 --out {tmp}/s": (1, 1),
    "operators make --out {tmp}/o": (0, 0),
    "operators remove --code ann --out {tmp}/o": (1, 1),
    "presence make-request 1": (0, 0),
    "presence verify {tmp}/none": (1, 1),
    "tac-key --file {tmp}/none": (1, 1),
    "init {tmp}/office": (1, 1),
    "init {tmp}/another": (0, 0),
    "pull --serial {tmp}/none": (1, 1),
    "pull --http http://127.0.0.1:1": (1, 1),
    "pull --folder {tmp}/none": (1, 1),
    "pull --nats http://x": (1, 1),
    "push {tmp}/none --serial {tmp}/none": (1, 1),
    "serve --listen nowhere": (1, 1),
}


@pytest.fixture
def tmp(tmp_path, monkeypatch, capsys):
    assert main(["init", str(tmp_path / "office")]) == 0
    monkeypatch.setenv("SSCOFFICE_DIR", str(tmp_path / "office"))
    monkeypatch.setattr("office.line.TIMEOUT_S", 0.05)
    capsys.readouterr()
    return tmp_path


def fill(tmp_path: Path) -> None:
    office = Folder(tmp_path / "office")
    terminal = Terminal()
    enrol(office, terminal)
    terminal.purchase("A1")
    take(office, "unit-1", terminal.batch())
    office.close()


@pytest.mark.parametrize(("act", "expected"), ACTS.items(), ids=ACTS.keys())
@pytest.mark.parametrize("is_filled", [False, True], ids=["empty", "filled"])
def test_each_act_ends_with_the_status_of_what_happened(tmp, capsys, act, expected, is_filled):
    if is_filled:
        fill(tmp)
        capsys.readouterr()
    words = act.format(tmp=tmp).split()
    ended = main([*words, "--json"])
    said = capsys.readouterr()
    assert ended == expected[is_filled], said.err
    if ended == status.DONE:
        assert [json.loads(line) for line in said.out.splitlines()], "one object"
    if ended in (status.FAILED, status.NOT_FOUND) and words[0] != "verify":
        (number,) = re.findall(r"Error (\d+)", said.err)
        assert int(number) in ROWS


def test_no_act_is_left_out():
    choices = next(a.choices for a in _parser()._actions if a.choices)
    assert {each.split()[0] for each in ACTS} == set(choices)


def test_words_that_are_not_understood_are_no_nothing_to_do(tmp, capsys):
    for words in (["no-such-act"], ["day", "--no-such-option"], []):
        with pytest.raises(SystemExit) as caught:
            main(words)
        assert caught.value.code == status.FAILED


def test_an_office_that_is_none_is_not_found(tmp, capsys):
    assert main(["day", "--dir", str(tmp / "nowhere")]) == status.NOT_FOUND


@pytest.mark.parametrize(
    ("several", "worst"), [([], 2), ([2, 2], 2), ([2, 0], 0), ([0, 1, 2], 1), ([3, 0], 3)]
)
def test_the_worst_of_several(several, worst):
    assert status.worst(several) == worst
