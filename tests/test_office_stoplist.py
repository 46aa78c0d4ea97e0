"""Issue, section 10: the office makes large lists from CSV, and differences that units take."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from firmware.authorize import filekeeper
from firmware.card.checks import card_check
from office.__main__ import main
from tests.rig import Rig
from tests.test_stoplistkeeper import WITHOUT_FILE, bring_down, look, refused

MANY = 1200


def number(serial: int) -> str:
    first = f"A{serial:07}"
    return first + card_check(first)


def write_csv(path: Path, serials: Any, state: str = "2") -> Path:
    rows = (f"{each:032x},{number(each)},{state}" for each in serials)
    path.write_text("\n".join(("card_id,card_number,state", *rows)) + "\n", encoding="utf-8")
    return path


class Office:
    def __init__(self, folder: Path, capsys: Any):
        self.folder, self._capsys = folder / "office", capsys
        assert main(["init", str(self.folder)]) == 0
        self.out = folder / "list.cose"

    def run(self, *args: object) -> tuple[int, str, str]:
        words = [str(each) for each in args]
        status = main(["stop-list", *words, "--out", str(self.out), "--dir", str(self.folder)])
        said = self._capsys.readouterr()
        return status, said.out, said.err


@pytest.fixture
def office(tmp_path: Path, capsys: Any) -> Office:
    return Office(tmp_path, capsys)


@pytest.fixture
def rig(tmp_path: Path, office: Office) -> Rig:
    (tmp_path / "office.pub").write_text((office.folder / "office.pub").read_text())
    return Rig(tmp_path, edit=WITHOUT_FILE)


def names(rig: Rig, serial: int) -> bool:
    return rig.unit.stop_list.names_card(serial.to_bytes(16, "big"), number(serial))


def test_a_list_from_csv_and_the_change_since_it_reach_a_unit(
    tmp_path: Path, office: Office, rig: Rig
) -> None:
    listed = write_csv(tmp_path / "a.csv", range(MANY))
    assert office.run("add", "--range", "B1-B9:9")[0] == 0
    status, out, _ = office.run("import", "--csv", listed)
    assert status == 0
    assert f"cards {MANY}, 校验位不符 odd check characters 0" in out
    assert f"stoplist 2, 条目 entries {MANY + 1}" in out
    bring_down(rig, office.out.read_bytes())
    assert look(rig) == 2
    assert [names(rig, each) for each in (0, MANY - 1, MANY)] == [True, True, False]
    whole = office.out.stat().st_size
    write_csv(listed, range(1, MANY + 1))
    assert "stoplist 3, 自 since 2" in office.run("import", "--csv", listed, "--since", 2)[1]
    assert office.out.stat().st_size < whole - MANY * 8
    bring_down(rig, office.out.read_bytes())
    assert look(rig) == 3
    assert [names(rig, each) for each in (0, 1, MANY)] == [False, True, True]
    assert rig.unit.stop_list.names_card(bytes(16), "B5")
    assert len(rig.unit.stop_list) == MANY + 1
    assert refused(rig) == []


def test_a_state_that_changes_is_in_the_difference(
    tmp_path: Path, office: Office, rig: Rig
) -> None:
    office.run("import", "--csv", write_csv(tmp_path / "a.csv", range(MANY)))
    bring_down(rig, office.out.read_bytes())
    look(rig)
    again = f"{5:032x}:{number(5)}:9"
    assert f"entries {MANY}" in office.run("add", "--card", again, "--since", 1)[1]
    bring_down(rig, office.out.read_bytes())
    assert look(rig) == 2
    assert rig.unit.stop_list.state_of((5).to_bytes(16, "big"), number(5)) == 9
    assert office.run("remove", "--card", f"{5:032x}:{number(5)}", "--since", 2)[0] == 0
    bring_down(rig, office.out.read_bytes())
    assert look(rig) == 3
    assert not names(rig, 5)
    kept = {each.name for each in (rig.board.unit.data_dir / filekeeper.APPLIED).iterdir()}
    assert kept == {"stoplist.cose", "stoplist-3.rows"}


def test_m22_an_odd_check_character_is_counted_and_the_card_stopped(
    tmp_path: Path, office: Office
) -> None:
    path = tmp_path / "a.csv"
    path.write_text(f"card_id,card_number\n{1:032x},A21472424\n{2:032x},{number(2)}\n")
    assert "cards 2, 校验位不符 odd check characters 1" in office.run("import", "--csv", path)[1]


WRONG = {
    "no header": f"{1:032x},A1\n",
    "short id": "card_id,card_number\nAB,A1\n",
    "no hex": f"card_id,card_number\n{'g' * 32},A1\n",
    "no number": f"card_id,card_number\n{1:032x},A-1\n",
    "unknown state": f"card_id,card_number,state\n{1:032x},A1,7\n",
    "more columns": f"card_id,card_number,state\n{1:032x},A1,2,x\n",
    "not text": "card_id,card_number\n\udcff",
}


@pytest.mark.parametrize("text", WRONG.values(), ids=WRONG.keys())
def test_a_wrong_line_changes_nothing(tmp_path: Path, office: Office, text: str) -> None:
    office.run("import", "--csv", write_csv(tmp_path / "a.csv", range(3)))
    path = tmp_path / "wrong.csv"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    status, _, err = office.run("import", "--csv", path)
    assert status == 1
    assert "Error 90" in err
    assert "stoplist 2, 条目 entries 3" in office.run("make")[1]


def test_a_difference_to_a_list_that_is_not_kept_is_refused(tmp_path: Path, office: Office) -> None:
    path = write_csv(tmp_path / "a.csv", range(MANY))
    status, _, err = office.run("import", "--csv", path, "--since", 7)
    assert (status, "Error 907" in err) == (1, True)
    assert f"entries {MANY}" in office.run("make")[1], "the import itself is kept"


@pytest.mark.parametrize("args", [["import"], ["make", "--csv", "x"], ["add", "--csv", "x"]])
def test_csv_and_import_go_together(office: Office, args: list[str]) -> None:
    assert office.run(*args)[0] == 1
