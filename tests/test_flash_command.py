"""Issue "The technician", item 2: every act has --json, --dry-run, exit codes, log, next step."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests import flash_rig
from tests.flash_rig import Release, flash
from tools.technician import errors, sheet
from tools.technician.command import parser
from tools.technician.errors import ROWS, FlashError

ROOT = Path(__file__).resolve().parents[1]
images = pytest.mark.skipif(flash_rig.NO_IMAGE is not None, reason=str(flash_rig.NO_IMAGE))
loops = pytest.mark.skipif(flash_rig.NO_LOOP is not None, reason=str(flash_rig.NO_LOOP))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Release:
    return flash_rig.make(tmp_path_factory.mktemp("release"))


def test_every_act_has_json_dry_run_and_a_log() -> None:
    choices = next(a for a in parser()._actions if a.choices and not a.option_strings).choices
    assert set(choices) == {
        "list", "write", "verify", "batch", "info", "provision", "enrolment", "wipe",
        "selftest", "logs", "update", "find", "backup", "restore",
    }  # fmt: skip
    for one in choices.values():
        options = {text for action in one._actions for text in action.option_strings}
        assert {"--json", "--dry-run", "--log"} <= options


def test_every_error_is_in_two_languages_and_on_the_page() -> None:
    page = (ROOT / "docs" / "flash.md").read_text(encoding="utf-8")
    for number, row in ROWS.items():
        assert row.status in (errors.FAILED, errors.REFUSED)
        assert re.search(r"[\u4e00-\u9fff]", row.cause_zh + row.next_zh)
        assert (row.cause_en + row.next_en).isascii()
        cells = (
            number,
            row.status,
            f"{row.cause_zh} · {row.cause_en}",
            f"{row.next_zh} {row.next_en}",
        )
        assert f"| {' | '.join(map(str, cells))} |" in page
    told = FlashError(1105, "/dev/sdb").lines()
    assert told.splitlines()[0].startswith("1105 卡太小 (/dev/sdb)。换")
    assert told.splitlines()[1].startswith("1105 the card is too small (/dev/sdb). Take")


def test_a_test_names_each_number() -> None:
    """Of whatever can go wrong: one that no test meets is one that nobody has seen."""
    named = "".join(each.read_text(encoding="utf-8") for each in (ROOT / "tests").glob("*.py"))
    assert [each for each in ROWS if not re.search(rf"\b{each}\b", named.replace("_", " "))] == []


def answer(capsys: pytest.CaptureFixture) -> dict:
    """The one JSON object that an act printed."""
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    return json.loads(out)


@images
def test_write_by_the_command_line(
    made: Release, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    target = tmp_path / "card.img"
    words = ("write", made.image, target, "--ca", made.ca, "--json", "--for", "pi4")
    assert flash(tmp_path, *words, "--dry-run") == 0
    mapped = made.load().block_map.mapped
    assert answer(capsys)["would_write"] == mapped
    assert not target.exists()
    assert flash(tmp_path, *words) == 2
    assert answer(capsys)["error"]["number"] == 1108
    assert flash(tmp_path, *words, "--confirm", "card.img") == 0
    told = answer(capsys)
    assert (told["written"], told["verified"], told["version"]) == (mapped, mapped, "1.0.0")
    page = Path(told["sheet"]).read_text(encoding="utf-8")
    assert sheet.GOOD[1] in page
    assert told["sha256"] in page
    log = (tmp_path / "state" / "flash.log").read_text()
    assert "exit status 0" in log
    assert "1108" in log
    assert flash(tmp_path, "verify", made.image, target, "--ca", made.ca, "--json") == 0
    assert answer(capsys)["verified"] == mapped
    assert flash(tmp_path, "info", target, "--json") == 0
    assert answer(capsys)["slots"]["A"]["version"] == "1.0.0"


@images
def test_a_newer_one_was_written_here_before(
    made: Release, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "newest.json").write_text('{"version": "1.0.1"}')
    words = ("write", made.image, tmp_path / "card.img", "--ca", made.ca, "--confirm", "card.img")
    assert flash(tmp_path, *words, "--json") == 2
    assert answer(capsys)["error"]["number"] == 1006
    assert not (tmp_path / "card.img").exists()
    assert flash(tmp_path, *words, "--older") == 0


@loops
def test_a_batch_writes_each_card_and_one_that_fails_stops_no_other(
    made: Release, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    size = 80 << 20
    small = flash_rig.mounted("tmpfs", tmp_path / "small", "-t", "tmpfs", "-o", "size=2m")
    with (
        small as place,
        flash_rig.disk(tmp_path / "one", size) as one,
        flash_rig.disk(place / "two", size) as two,
        flash_rig.disk(tmp_path / "three", size) as three,
    ):
        words = ("batch", made.image, one, two, three, "--ca", made.ca, "--json", "--confirm")
        assert flash(tmp_path, *words, f"{one.name} {two.name}") == 2
        assert answer(capsys)["error"]["number"] == 1108
        assert flash(tmp_path, *words, f"{one.name} {two.name} {three.name}") == 1
        cards = answer(capsys)["cards"]
        assert [each.get("error", {}).get("number") for each in cards] == [None, 1203, None]
        pages = [Path(each["sheet"]).read_text(encoding="utf-8") for each in cards]
        assert [sheet.GOOD[0] in each for each in pages] == [True, False, True]
        assert "1203" in pages[1]
        for each in (one, three):
            assert flash(tmp_path, "verify", made.image, each, "--ca", made.ca) == 0
        assert flash(tmp_path, *words[:2], one, one, "--ca", made.ca, "--json") == 2


def test_a_sheet_shows_no_mark_up_of_its_values() -> None:
    page = sheet.render([("a", "b", "<script>&")], sheet.GOOD, is_good=True)
    assert "<script>" not in page
    assert "&lt;script&gt;&amp;" in page


def test_a_missing_program_is_named_with_its_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr("shutil.which", lambda *_, **__: None)
    assert flash(tmp_path, "list", "--json") == 2
    told = answer(capsys)["error"]
    assert (told["number"], told["status"]) == (1001, 2)
    assert "apt install util-linux" in told["detail"]


def test_it_runs_from_any_folder_and_a_wrong_word_is_a_usage_error(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "tools" / "flash.py")]
    for words, status in ((["list", "--json"], 0), (["wirte"], 64), ([], 64)):
        done = subprocess.run(
            [*command, *words], cwd=tmp_path, capture_output=True, text=True, timeout=60,
            env={"HOME": str(tmp_path), "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
        )  # fmt: skip
        assert done.returncode == status, done.stderr
    assert (tmp_path / ".local/state/sscterm/flash.log").exists()
