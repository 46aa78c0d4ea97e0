"""`make demo` (issue, section "make demo"): one morning played as a process."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from simulator import morning, narrator, stage
from simulator.region import Region
from simulator.scenes import NEXT_DOOR, PEOPLE, PHARMACY, STOPPED, SUN, WANG, ZHANG
from tests.waiting import SOON_S

ROOT = Path(__file__).resolve().parents[1]
ALLOWED_S = 120.0
COMMAND = (sys.executable, "-m", "simulator.morning")


def processes_about(folder: Path) -> list[str]:
    """The command lines that name that folder; ours are long gone, so none may."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(folder) in line:
            found.append(line)
    return found


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    """(finished process, kept folder, seconds) of one whole demo."""
    folder = tmp_path_factory.mktemp("demo") / "kept"
    began = time.monotonic()
    done = subprocess.run(
        [*COMMAND, "--keep", str(folder)],
        capture_output=True, text=True, timeout=ALLOWED_S, cwd=ROOT, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    return done, folder, time.monotonic() - began


def test_the_last_line_is_the_verdict(played):
    """Its keys and their meaning are the issue's; the numbers are those of the scenes."""
    done, _, took_s = played
    assert done.returncode == 0, done.stdout + done.stderr
    verdict = json.loads(done.stdout.splitlines()[-1])
    records = verdict.pop("records")
    assert records > 20
    assert verdict == {
        "ok": True,
        "verified": records,
        "gaps": 0,
        "duplicates": 0,
        "money_conserved": True,
        "purchases": {"done": 7, "void": 2, "declined": 2, "suspect": 0, "uncertain": 0},
    }
    assert done.stderr == ""
    assert took_s < ALLOWED_S


def test_the_day_has_one_row_for_each_record(played):
    done, _, _ = played
    lines = done.stdout.splitlines()
    rows = [line for line in lines if line.startswith(("pharmacy-1 ", "pharmacy-2 "))]
    assert len(rows) == json.loads(lines[-1])["records"]
    assert all(row.endswith("✓") for row in rows)


def test_every_step_shows_what_the_display_shows(played):
    """In the issue's order, Chinese and English; plain text where there is no terminal."""
    done, _, _ = played
    assert "\x1b" not in done.stdout
    at = 0
    for text in (
        "1/8", "收款成功：50.00 元。", "Payment taken: 50.00 yuan.", "repeated",
        "2/8", "密码错误，还可输入 5 次。", "Wrong PIN. Tries left: 5.", "收款成功",
        "3/8", "此卡已停用，未扣款。", "This card is on the stop list.", "108",
        "4/8", "超过单笔限额，未扣款。", "over the limit of one payment", "401",
        "5/8", "Put the same card back.", "R-1005 的 80.00 元已扣款成功", "R-1005 → DONE",
        "6/8", "Put the same card back.", "R-1006 未扣款", "R-1006 → VOID", "R-1007 → DONE",
        "7/8", "kill -9", "started again", "Enter your PIN to check", "R-1008 未扣款",
        "R-1008 → VOID", "Please remove the card.", "R-1009 → DONE",
        "over the serial line", "8/8", "N-2002 → DONE",
    ):  # fmt: skip
        assert text in done.stdout[at:], text
        at = done.stdout.index(text, at) + len(text)


def test_the_money_is_where_the_payments_put_it(played):
    """Literals, worked out by hand from scenes.py."""
    _, folder, _ = played
    cards = Region.load(folder / "region.json").cards
    held = {
        label: (card.balance_fen, card.yearly_self_fen, card.yearly_pooled_fen)
        for label, card in cards.items()
    }
    assert held[ZHANG.label] == (50_000 - 2_550 - 4_000, 12_300 + 1_500, 45_600 + 1_450)
    assert held["li"] == (120_000 - 6_480, 800 + 320, 1_200)
    assert held[WANG.label] == (8_000 - 1_700, 180, 120)
    assert held["zhao"] == (33_350 - 3_350, 990 + 500, 2_010 + 150)
    assert held[STOPPED.label] == (66_600, 0, 0)
    # National: the totals take the sum, and account and pooled together; no balance falls.
    assert held[SUN.label] == (25_000, 5_000 + 11_500, 7_000 + 8_800 + 1_050)


def test_the_processes_end_well_and_say_no_pin(played):
    done, folder, _ = played
    assert processes_about(folder) == []
    logs = [each.read_text(encoding="utf-8") for each in folder.glob("*.log")]
    assert len(logs) == 4
    for word in ("Traceback", "Fatal", "ERROR", *(person.pin for person in PEOPLE)):
        assert all(word not in log for log in (*logs, done.stdout)), word


def test_every_generation_and_a_contactless_card_take_part():
    inserted = {
        act[1] for scene in (*PHARMACY, *NEXT_DOOR) for act in scene.acts
        if act[0].__name__ == "inserts"
    }  # fmt: skip
    assert {person.generation for person in inserted - {STOPPED}} == {"1.0", "2.0", "3.0"}
    assert any(person.has_antenna for person in inserted)
    assert inserted == set(PEOPLE)


def test_ctrl_c_leaves_no_process_behind(tmp_path):
    folder = tmp_path / "kept"
    interruptible = ("env", "--default-signal=INT")  # a shell's background job ignores it
    demo = subprocess.Popen(
        [*interruptible, *COMMAND, "--keep", str(folder)],
        stdout=subprocess.PIPE, text=True, cwd=ROOT,
    )  # fmt: skip
    try:
        for line in demo.stdout:
            if "1/8" in line:
                break
        assert len(processes_about(folder)) >= 4, "demo, simulator, terminal, uplink"
        demo.send_signal(signal.SIGINT)
        rest, _ = demo.communicate(timeout=SOON_S)
    finally:
        demo.kill()
    assert demo.returncode == 130
    assert json.loads(rest.splitlines()[-1]) == {"ok": False, "error": "interrupted"}
    assert processes_about(folder) == []


@pytest.fixture
def handlers():
    """main() sets some; they are put back."""
    kept = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    yield
    for number, handler in kept.items():
        signal.signal(number, handler)


def test_a_terminal_that_dies_ends_the_demo_with_its_log(tmp_path, monkeypatch, capsys, handlers):
    monkeypatch.setattr(stage, "BOARD", stage.BOARD + "\n[nonsense]\nkey = 1\n")
    assert morning.main(["--keep", str(tmp_path / "kept")]) == 1
    out = capsys.readouterr().out
    assert "--- pharmacy-1.log" in out
    assert "nonsense" in out
    verdict = json.loads(out.splitlines()[-1])
    assert verdict["ok"] is False
    assert verdict["error"].startswith("process pharmacy-1 died; awaited was:")
    assert processes_about(tmp_path) == []


def test_what_does_not_come_in_time_is_named():
    with stage.Stage() as empty, pytest.raises(stage.Failed, match=r"not within 0\.1 s: the moon"):
        empty.until("the moon", lambda: None, within_s=0.1)


def test_files_are_kept_in_a_new_folder_only(tmp_path, handlers, capsys):
    (tmp_path / "something").touch()
    assert morning.main(["--keep", str(tmp_path)]) == 1
    assert "is not empty" in capsys.readouterr().out
    assert os.listdir(tmp_path) == ["something"]


def test_colour_is_for_terminals(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    for stream, coloured in ((Terminal(), True), (io.StringIO(), False)):
        monkeypatch.delenv("NO_COLOR", raising=False)
        narrator.Narrator(stream).heading("一", "one")
        assert ("\x1b" in stream.getvalue()) == coloured
    monkeypatch.setenv("NO_COLOR", "1")
    stream = Terminal()
    narrator.Narrator(stream).heading("一", "one")
    assert "\x1b" not in stream.getvalue()
