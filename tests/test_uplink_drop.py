"""The USB stick: out and back, pulled at every moment, worn, and mounted by the root helper."""

from __future__ import annotations

import builtins
import errno
import os
import random
import shutil
import threading
from pathlib import Path

import pytest

from firmware.journal import spool as folders
from firmware.uplink.drop import AGAIN_S, DropLink
from firmware.uplink.spool import Spool
from office.__main__ import main
from tests.link_rig import Office, Unit
from tests.office_rig import Terminal
from tests.waiting import SOON_S

ROOT = Path(__file__).resolve().parents[1]
HELPER = ROOT / "tools" / "drop" / "ssc-drop.sh"


@pytest.fixture
def office(tmp_path):
    return Office(tmp_path / "office")


@pytest.fixture
def stick(tmp_path):
    (tmp_path / "stick" / "ssc-drop").mkdir(parents=True)
    return tmp_path / "stick"


def link_of(unit, stick):
    return DropLink(unit.terminal.unit, unit.spool, stick)


def pull(office, stick):
    return main(["pull", "--dir", str(office.path), "--folder", str(stick), "--json"])


def names(folder):
    return sorted(each.name for each in folder.iterdir())


def test_a_stick_carries_batches_out_and_receipts_back(office, tmp_path, stick):
    """Two units on one stick: same bytes out, receipts at the next visit, then cleared away."""
    units = [Unit(office, tmp_path, f"unit-{n}", n) for n in (1, 2)]
    for unit in units:
        sealed = [unit.seal(serial) for serial in range(3)]
        link_of(unit, stick).visit("w")
        out = stick / "ssc-drop" / unit.terminal.unit / "out"
        assert [(out / name).read_bytes() for name in names(out)] == sealed
    assert pull(office, stick) == 0
    for unit in units:
        link_of(unit, stick).visit("w")
        assert len(unit.receipts()) == 3
        for path in (unit.data_dir / "out").iterdir():  # the card process has verified them
            path.unlink()
        link_of(unit, stick).visit("w")
        assert names(stick / "ssc-drop" / unit.terminal.unit / "out") == []
        assert names(stick / "ssc-drop" / unit.terminal.unit / "receipts") == []
    assert office.numbers() == [(f"unit-{u}", n) for u in (1, 2) for n in range(1, 13)]
    assert pull(office, stick) == 2


def test_a_stick_that_comes_twice_is_stored_once(office, tmp_path, stick, capsys):
    unit = Unit(office, tmp_path)
    unit.seal(0)
    link_of(unit, stick).visit("w")
    receipts = []
    for _ in range(2):
        assert pull(office, stick) == 0
        path = stick / "ssc-drop" / "unit-1" / "receipts" / "00000001.receipt"
        receipts.append(path.read_bytes())
        path.unlink()
    assert receipts[0] == receipts[1]
    assert '"repeated": 1' in capsys.readouterr().out
    assert len(office.numbers()) == 4


def test_signed_files_come_on_the_stick(office, tmp_path, stick):
    unit = Unit(office, tmp_path)
    link_of(unit, stick).visit("w")
    out = tmp_path / "stoplist.cose"
    entry = "00" * 16 + ":A00000001"
    command = ["stop-list", "add", "--dir", str(office.path), "--card", entry, "--out", str(out)]
    assert main(command) == 0
    assert pull(office, stick) == 2
    link_of(unit, stick).visit("w")
    assert (unit.data_dir / "down" / "stoplist.cose").read_bytes() == out.read_bytes()
    own = stick / "ssc-drop" / "unit-1" / "down"
    own.mkdir()
    (own / "unitstop.cose").write_bytes(b"stop")
    foreign = stick / "ssc-drop" / "unit-2" / "down"
    foreign.mkdir(parents=True)
    (foreign / "operators.cose").write_bytes(b"x")
    link_of(unit, stick).visit("w")
    assert names(unit.data_dir / "down") == ["stoplist.cose", "unitstop.cose"]


def test_a_refused_batch_gets_no_receipt(office, tmp_path, stick):
    """A stranger's folder, a spoilt copy, another unit's batch: kept aside, the rest goes on."""
    unit, other = Unit(office, tmp_path), Unit(office, tmp_path, "unit-2", 2)
    unit.seal(0)
    content = other.seal(0)
    link_of(unit, stick).visit("w")
    root = stick / "ssc-drop"
    (root / "unit-1" / "out" / "00000009.batch").write_bytes(content)
    for name, raw in (("unit-9", content), ("unit-2", content[:100])):
        (root / name / "out").mkdir(parents=True)
        (root / name / "out" / "00000001.batch").write_bytes(raw)
    assert pull(office, stick) == 1
    assert names(root / "unit-1" / "receipts") == ["00000001.receipt"]
    assert [names(root / each / "receipts") for each in ("unit-2", "unit-9")] == [[], []]
    assert len(office.numbers()) == 4


# -- pulled out ----------------------------------------------------------------------------------


class Pulled:
    """Every step on the disk counts; the stick is pulled out before step `at`, and stays out."""

    STEPS = ("mkdir", "replace", "unlink", "fsync", "open", "scandir")

    def __init__(self, monkeypatch, stick, at):
        self.count, self._at, self._stick = 0, at, str(stick)
        for name in self.STEPS:
            monkeypatch.setattr(os, name, self._counting(getattr(os, name)))
        monkeypatch.setattr(builtins, "open", self._counting(open))

    def _counting(self, real):
        def step(path, *arguments, **options):
            if not isinstance(path, int) and str(path).startswith(self._stick):
                self.count += 1
                if self.count >= self._at:
                    raise OSError(errno.EIO, "the stick is gone")
            return real(path, *arguments, **options)

        return step


def tear(stick, chance):
    """What a FAT may hold after that: the newest files cut short, or empty."""
    for path in stick.rglob("*"):
        if path.is_file() and chance.random() < 0.3:
            path.write_bytes(path.read_bytes()[: chance.choice((0, 10, 500))])


def test_a_stick_pulled_at_any_step_of_the_units_visit_loses_nothing(office, tmp_path):
    """Every step of a visit in turn, and torn files after it: the next visits bring it all home."""
    unit = Unit(office, tmp_path)
    sealed = [unit.seal(serial) for serial in range(3)]
    chance = random.Random(1)
    cuts = 0
    for at in range(1, 200):
        stick = tmp_path / f"stick-{at}"
        (stick / "ssc-drop").mkdir(parents=True)
        with pytest.MonkeyPatch.context() as patch:
            pulled = Pulled(patch, stick, at)
            try:
                link_of(unit, stick).visit("w")
            except OSError:
                cuts += 1
        is_whole = pulled.count < at
        tear(stick, chance)
        assert [p.read_bytes() for p in sorted((unit.data_dir / "out").iterdir())] == sealed
        link_of(unit, stick).visit("w")
        out = stick / "ssc-drop" / "unit-1" / "out"
        assert [(out / name).read_bytes() for name in names(out) if name[0] != "."] == sealed
        if is_whole:
            break
        shutil.rmtree(stick)
    assert cuts >= 20
    assert is_whole


def test_a_stick_pulled_while_receipts_come_loses_nothing(office, tmp_path):
    """Receipts torn or gone: the office writes them again, for the batches are on the stick."""
    unit = Unit(office, tmp_path)
    for serial in range(3):
        unit.seal(serial)
    stick = tmp_path / "stick"
    (stick / "ssc-drop").mkdir(parents=True)
    link_of(unit, stick).visit("w")
    for at in range(1, 200):
        with pytest.MonkeyPatch.context() as patch:
            pulled = Pulled(patch, stick, at)
            pull(office, stick)
        with pytest.MonkeyPatch.context() as patch:
            back = Pulled(patch, stick, at)
            link = link_of(unit, stick)
            link.look()
        if pulled.count < at and back.count < at:
            break
    assert at > 10
    assert len(unit.receipts()) == 3
    assert office.numbers() == [("unit-1", n) for n in range(1, 13)]


# -- when it looks -------------------------------------------------------------------------------


class Bare:
    def __init__(self, folder):
        self.data_dir, self.terminal = folder / "unit-1", Terminal()
        self.spool = Spool(self.data_dir)

    def seal(self, number, content=b"batch"):
        (self.data_dir / "out" / f"{number:08d}.batch").write_bytes(content)


def test_it_visits_a_new_stick_once_and_one_that_stays_again_later(tmp_path, stick):
    unit, now = Bare(tmp_path), [0.0]
    link = DropLink("unit-1", unit.spool, stick, monotonic=lambda: now[0])
    root = stick / "ssc-drop"
    out, done = root / "unit-1" / "out", root / "unit-1" / "done"
    unit.seal(1)
    (root / "plugged").write_text("one")
    link.look()
    assert (names(out), done.read_text()) == (["00000001.batch"], "one")
    unit.seal(2)
    link.look()
    assert names(out) == ["00000001.batch"]
    now[0] = AGAIN_S + 1
    link.look()
    assert names(out) == ["00000001.batch", "00000002.batch"]
    unit.seal(3)
    (root / "plugged").write_text("two")
    link.look()
    assert (len(names(out)), done.read_text()) == (3, "two")
    root.rename(stick / "away")
    link.look()
    (stick / "away").rename(root)
    unit.seal(4)
    link.look()
    assert len(names(out)) == 4


def test_a_folder_without_a_stick_stays_empty(tmp_path):
    unit = Bare(tmp_path)
    unit.seal(1)
    (tmp_path / "mount").mkdir()
    link_of(unit, tmp_path / "mount").look()
    link_of(unit, tmp_path / "nowhere").look()
    assert names(tmp_path / "mount") == []


def test_a_full_stick_is_said_once_and_keeps_what_fits(tmp_path, stick, monkeypatch, caplog):
    unit = Bare(tmp_path)
    for number in (1, 2, 3):
        unit.seal(number, bytes([number]) * 100)
    real = folders.write_pieces

    def full(path, pieces):
        if path.name.startswith("00000003"):
            raise OSError(errno.ENOSPC, "No space left on device")
        real(path, pieces)

    monkeypatch.setattr(folders, "write_pieces", full)
    link = link_of(unit, stick)
    link.look()
    link._visited = None
    link.look()
    assert caplog.text.count("No space left") == 1
    assert names(stick / "ssc-drop" / "unit-1" / "out") == ["00000001.batch", "00000002.batch"]


def test_what_lies_on_a_stick_by_malice_is_not_followed(tmp_path, stick):
    """Links out of the stick, odd names, large files: nothing outside is read or written."""
    unit = Bare(tmp_path)
    unit.seal(1)
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "device.key").write_bytes(b"key")
    own = stick / "ssc-drop" / "unit-1"
    (own / "receipts").mkdir(parents=True)
    (own / "receipts" / "00000001.receipt").symlink_to(secret / "device.key")
    (own / "receipts" / "x.receipt").write_bytes(b"odd")
    (own / "receipts" / "00000002.receipt").write_bytes(bytes(100_000))
    (stick / "ssc-drop" / "down").mkdir()
    (stick / "ssc-drop" / "down" / "Odd-name.cose").write_bytes(b"odd")
    (own / "out").symlink_to(secret)
    with pytest.raises(OSError, match="exists"):
        link_of(unit, stick).visit("w")
    (own / "out").unlink()
    link_of(unit, stick).visit("w")
    assert names(secret) == ["device.key"]
    assert names(unit.data_dir / "up") == []
    assert names(unit.data_dir / "down") == []


def test_pipes_on_a_stick_keep_nobody_waiting(tmp_path, stick):
    unit = Bare(tmp_path)
    unit.seal(1)
    out = stick / "ssc-drop" / "unit-1" / "out"
    out.mkdir(parents=True)
    (stick / "ssc-drop" / "plugged").unlink(missing_ok=True)
    os.mkfifo(stick / "ssc-drop" / "plugged")
    os.mkfifo(out / "00000001.batch")
    visit = threading.Thread(target=link_of(unit, stick).look, daemon=True)
    visit.start()
    visit.join(SOON_S)
    assert not visit.is_alive()
    assert (out / "00000001.batch").is_file()


def test_a_folder_that_is_no_stick_is_said(office, tmp_path, capsys):
    assert pull(office, tmp_path) == 1
    assert "932" in capsys.readouterr().err
