"""The uplink's folders: what it reads, what it may write, and what it removes."""

import hashlib
import os

import pytest

from firmware.journal import signedfile
from firmware.uplink import spool as spool_module
from firmware.uplink.spool import NAMES, NoSuchBatch, OutOfBounds, Spool


@pytest.fixture
def spool(tmp_path):
    spool = Spool(tmp_path)
    for number in (2, 9, 10):
        (tmp_path / "out" / f"{number:08d}.batch").write_bytes(b"%d" % number * 1000)
    (tmp_path / "out" / ".00000011.batch.7.new").write_bytes(b"half")
    (tmp_path / "out" / "x.batch").write_bytes(b"x")
    return spool


def test_pending_batches_are_numbers_in_order(spool):
    assert spool.pending() == [2, 9, 10]
    found = spool.next_after(2)
    assert found is not None
    assert (found.number, found.size) == (9, 1000)
    assert found.digest == hashlib.sha256(b"9" * 1000).digest()
    assert spool.next_after(10) is None


def test_a_range_is_read_and_nothing_behind_the_end(spool):
    assert spool.read(10, 1998, 100) == b"10"
    assert spool.read(10, 5000, 100) == b""
    with pytest.raises(NoSuchBatch):
        spool.read(3, 0, 10)
    for offset, length in ((0, 0), (0, spool_module.MAX_READ + 1), (1 << 63, 1)):
        with pytest.raises(OutOfBounds):
            spool.read(10, offset, length)


def test_a_receipt_is_written_beside_its_batch_and_removed_after_it(spool, tmp_path):
    spool.put_receipt(9, b"receipt")
    spool.clean()
    assert (tmp_path / "up" / "00000009.receipt").read_bytes() == b"receipt"
    (tmp_path / "out" / "00000009.batch").unlink()
    spool.clean()
    assert list((tmp_path / "up").iterdir()) == []


def test_a_receipt_for_a_batch_that_is_not_here_is_not_written(spool, tmp_path):
    with pytest.raises(NoSuchBatch):
        spool.put_receipt(3, b"receipt")
    assert list((tmp_path / "up").iterdir()) == []


@pytest.mark.parametrize("what", ["", "../x", "a/b", "Stop", ".x", "a" * 33, "1a", "a\n"])
def test_a_name_from_outside_cannot_leave_the_folder(spool, what):
    with pytest.raises(OutOfBounds):
        spool.put_down(what, b"x")


def test_sizes_are_bounded(spool):
    with pytest.raises(OutOfBounds):
        spool.put_receipt(9, bytes(spool_module.MAX_RECEIPT + 1))
    with pytest.raises(OutOfBounds):
        spool.put_down("stoplist", bytes(spool_module.MAX_DOWN + 1))


def test_a_file_is_synced_before_it_gets_its_name_and_its_folder_after(
    spool, tmp_path, monkeypatch
):
    """docs/architecture.md: temporary file, fsync, rename, fsync of the folder."""
    steps = []
    real = os.fsync

    def fsync(fd):
        steps.append((os.readlink(f"/proc/self/fd/{fd}"), sorted(os.listdir(tmp_path / "down"))))
        real(fd)

    monkeypatch.setattr(os, "fsync", fsync)
    spool.put_down("stoplist", b"signed")
    down = str(tmp_path / "down")
    beside = f".stoplist.cose.{os.getpid()}.new"
    assert steps == [
        (f"{down}/{beside}", [beside]),
        (down, ["stoplist.cose"]),
    ]


def test_a_file_in_pieces_goes_on_after_a_restart_and_is_handed_over_whole(spool, tmp_path):
    content = bytes(range(100))
    digest = hashlib.sha256(content).digest()
    assert spool.append_down("stoplist", digest, content[:40]) == 40
    again = Spool(tmp_path)
    again.clean()
    assert again.arrived("stoplist", digest) == 40
    assert not again.holds_down("stoplist", digest)
    assert again.append_down("stoplist", digest, content[40:]) == 100
    again.finish_down("stoplist", digest)
    assert again.holds_down("stoplist", digest)
    assert [each.name for each in (tmp_path / "down").iterdir()] == ["stoplist.cose"]


def test_a_piece_that_a_power_cut_spoilt_begins_anew(spool, tmp_path):
    digest = hashlib.sha256(b"right").digest()
    spool.append_down("stoplist", digest, b"wrong")
    with pytest.raises(OutOfBounds):
        spool.finish_down("stoplist", digest)
    assert spool.arrived("stoplist", digest) == 0
    assert list((tmp_path / "down").iterdir()) == []


def test_only_one_file_is_on_its_way_down(spool, tmp_path):
    spool.append_down("stoplist", bytes(32), b"old")
    spool.append_down("operators", b"1" * 32, b"new")
    assert spool.arrived("stoplist", bytes(32)) == 0
    assert len(list((tmp_path / "down").iterdir())) == 1


def test_what_a_power_cut_left_is_removed(spool, tmp_path):
    (tmp_path / "down" / ".stoplist.cose.7.new").write_bytes(b"half")
    spool.clean()
    assert list((tmp_path / "down").iterdir()) == []


def test_only_files_that_the_card_process_knows_come_down(tmp_path):
    """Whoever reaches a link, or brings a stick, must not fill the disk with others."""
    whats = {signedfile.STOPLIST, signedfile.OPERATORS, signedfile.OFFICEKEY}
    whats |= {signedfile.PARAMETERS, signedfile.UNITSTOP, signedfile.UPDATE}
    assert whats == NAMES
    spool = Spool(tmp_path)
    for what in sorted(NAMES):
        spool.put_down(what, b"x")
    for what in ("stoplist2", "other", "", "../stoplist", "STOPLIST", "stoplist.cose"):
        with pytest.raises(OutOfBounds):
            spool.put_down(what, b"x")
    assert len(list((tmp_path / "down").iterdir())) == len(NAMES)
