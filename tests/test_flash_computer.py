"""flash.py and the computer it runs on: names, terminals, languages, signals, full folders.

Issue "The technician", item 2: "numbered exit codes, a log file, a cause and a next step in every
error".
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests import flash_rig
from tests.flash_rig import Release, flash
from tests.waiting import until
from tools.technician import acts, card, programs, sheet, writing
from tools.technician.desk import Desk
from tools.technician.errors import FlashError
from tools.technician.progress import Progress

ROOT = Path(__file__).resolve().parents[1]
images = pytest.mark.skipif(flash_rig.NO_IMAGE is not None, reason=str(flash_rig.NO_IMAGE))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Release:
    return flash_rig.make(tmp_path_factory.mktemp("release"))


def answer(capsys: pytest.CaptureFixture) -> dict:
    return json.loads(capsys.readouterr().out)


def run(folder: Path, *words: object, **environment: str) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, ROOT / "tools" / "flash.py", *words]
    paths = {"HOME": str(folder), "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
    return subprocess.run(
        command, cwd=folder, capture_output=True, timeout=120, env=paths | environment
    )


@pytest.mark.parametrize("more", [(), ("--json",)], ids=["text", "json"])
def test_a_name_and_a_terminal_that_are_not_utf_8(tmp_path: Path, more: tuple[str, ...]) -> None:
    done = run(tmp_path, "enrolment", b"caf\xe9.img", *more, PYTHONIOENCODING="ascii")
    assert done.returncode == 2
    assert b"1101" in done.stdout + done.stderr
    assert b"Traceback" not in done.stderr
    if more:
        assert json.loads(done.stdout)["error"]["number"] == 1101


def test_words_of_a_card_or_a_unit_steer_no_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    words = "v\x1b]0;x\x07\x9b2J\r1.0"
    log = (tmp_path / "log").open("w+", encoding="utf-8")
    desk = Desk(False, sys.stdout, sys.stderr, log, tmp_path)
    desk.say(words)
    desk.failed(FlashError(1111, words))
    out, errors = capsys.readouterr()
    log.seek(0)
    for shown in (out, errors, log.read()):
        assert "v\\x1b]0;x\\x07\\x9b2J\\r1.0" in shown
        assert all(each.isprintable() or each == "\n" for each in shown)
    log.close()


def test_the_programs_speak_english_to_us_whatever_the_technician_reads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    monkeypatch.setenv("LANGUAGE", "zh_CN")
    lines = programs.run("env").stdout.splitlines()
    assert b"LC_ALL=C.UTF-8" in lines
    assert b"LANGUAGE=C" in lines


@images
@pytest.mark.parametrize(
    "name",
    [signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGKILL],
    ids=lambda each: each.name,
)
def test_what_writes_ends_with_the_act(made: Release, tmp_path: Path, name: signal.Signals) -> None:
    """A terminal that is closed, a kill: no bmaptool writes on alone."""
    stuck = tmp_path / "bin" / "bmaptool"
    stuck.parent.mkdir()
    pid = tmp_path / "pid"
    stuck.write_text(f"#!/bin/sh\necho $$ >{pid}.new\nmv {pid}.new {pid}\nexec sleep 600\n")
    stuck.chmod(0o755)
    act = subprocess.Popen(
        ["env", "--default-signal", sys.executable, ROOT / "tools" / "flash.py", "write",
         made.image, "card.img", "--ca", made.ca, "--confirm", "card.img", "--json"],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env={"HOME": str(tmp_path), "PATH": f"{stuck.parent}:/usr/sbin:/usr/bin:/sbin:/bin"},
    )  # fmt: skip
    try:
        until(pid.exists)
        writer = int(pid.read_text())
        act.send_signal(name)
        out, _ = act.communicate(timeout=60)
    finally:
        act.kill()
    if name is not signal.SIGKILL:
        assert act.returncode == 1
        assert json.loads(out)["error"]["number"] == 1205
    until(lambda: has_ended(writer))


def has_ended(pid: int) -> bool:
    """Also one that nobody asked how it ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


@images
def test_a_folder_that_takes_no_sheet_is_told_before_a_byte_is_written(
    made: Release, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    words = ("write", made.image, tmp_path / "card.img", "--ca", made.ca, "--confirm", "card.img")
    (tmp_path / "file").touch()
    status = flash(tmp_path, *words, "--sheets", tmp_path / "file" / "sheets", "--json")
    assert status == 1
    assert answer(capsys)["error"]["number"] == 1208
    assert not (tmp_path / "card.img").exists()


def test_two_sheets_of_one_second_and_one_serial_are_two_files(tmp_path: Path) -> None:
    sheet.prepare(tmp_path / "sheets")
    one, two = (sheet.save(tmp_path / "sheets", "0001", "2026-11-23", text) for text in "ab")
    assert (one.read_text(), two.read_text()) == ("a", "b")


@images
def test_a_card_whose_writing_breaks_in_an_unknown_way_stops_no_other(
    made: Release, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    write = writing.write

    def breaks(image, card, *more):
        if card.target.path.endswith("one"):
            raise OSError("no room for a temporary file")
        return write(image, card, *more)

    monkeypatch.setattr(acts.writing, "write", breaks)
    cards = (tmp_path / "one", tmp_path / "two")
    words = ("batch", made.image, *cards, "--ca", made.ca, "--json", "--confirm", "one two")
    assert flash(tmp_path, *words) == 1
    told = answer(capsys)["cards"]
    assert told[0]["error"]["number"] == 1208
    assert told[1]["verified"] > 0


@images
def test_a_batch_that_is_not_whole_ends_with_its_own_number(
    made: Release, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    words = ("batch", made.image, tmp_path / "one", tmp_path / "two", "--ca", made.ca)
    (tmp_path / "two").mkdir()
    assert flash(tmp_path, *words, "--confirm", "one two") == 2  # told before the question
    (tmp_path / "two").rmdir()
    os.link(made.side(".bmap"), tmp_path / "two")
    assert flash(tmp_path, *words, "--confirm", "one two") == 1
    assert "1206 not every card was done (1 / 2)" in capsys.readouterr().err


@images
def test_an_identity_that_cannot_be_read_back_is_told(
    made: Release, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    """A card that takes what is written and keeps something else."""
    copy = made.copied(tmp_path / "copy")
    monkeypatch.setattr(card.Card, "put_drop", lambda *_: None)
    words = ("--board", ROOT / "board.toml", "--confirm", copy.image.name, "--json")
    assert flash(tmp_path, "provision", copy.image, *words) == 1
    assert answer(capsys)["error"]["number"] == 1302


@pytest.mark.parametrize("act", ["info", "enrolment"])
def test_a_name_that_is_not_there_is_told_so(
    tmp_path: Path, act: str, capsys: pytest.CaptureFixture
) -> None:
    assert flash(tmp_path, act, tmp_path / "nothing", "--json") == 2
    assert answer(capsys)["error"]["number"] == 1101


def test_what_is_handed_over_is_not_yet_written() -> None:
    """100 % and no time left are for the end, when the card has it."""
    drawn: list[str] = []

    class Stream:
        write = drawn.append

        def flush(self) -> None:
            pass

        def isatty(self) -> bool:
            return True

    clock = iter(range(100))
    progress = Progress(Stream(), seconds=lambda: next(clock))  # type: ignore[arg-type]
    progress.begin("write", 1000)
    progress.at(1000)
    assert " 99 %" in drawn[-1]
    progress.end()
    assert "100 %" in "".join(drawn)
