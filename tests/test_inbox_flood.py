"""Very many receipts, good or wrong, at one unit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from firmware.authorize import inbox, refusals
from firmware.journal import spool
from tests.rig import Rig
from tests.test_inbox import (
    STRANGER,
    is_receipted,
    make_rig,
    note,
    put_receipt,
    sealed,
    services,
)


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return make_rig(tmp_path)


def test_a_flood_of_wrong_receipts_does_not_fill_the_journal(rig: Rig, monkeypatch: Any) -> None:
    monkeypatch.setattr(refusals, "MAX_JOURNALED", 3)
    note(rig)
    sealed(rig)
    for n in range(8):
        spool.receipt_path(rig.board.unit.data_dir, 1).write_bytes(b"%d" % n)
        rig.inbox.collect()
    assert len(services(rig)) == 3


def test_after_a_flood_a_refused_receipt_is_still_told_once(rig: Rig, monkeypatch: Any) -> None:
    monkeypatch.setattr(refusals, "MAX_JOURNALED", 0)
    note(rig)
    sealed(rig)
    put_receipt(rig, 1, signer=STRANGER)
    for _ in range(3):
        rig.inbox.collect()
    assert rig.shown == ["RECEIPT_REFUSED"]


def test_the_memory_of_refusals_is_bounded(rig: Rig, monkeypatch: Any) -> None:
    monkeypatch.setattr(refusals, "MAX_REMEMBERED", 3)
    kept = refusals.Refusals(rig.unit)
    for n in range(8):
        kept.add(b"%d" % n, "RECEIPT_REFUSED", "invented")
    assert [n for n in range(8) if kept.holds(b"%d" % n)] == [5, 6, 7]


def test_many_receipts_at_once_keep_no_card_waiting(tmp_path: Path, monkeypatch: Any) -> None:
    """Each costs some syncs, and a unit that was long away gets thousands."""
    monkeypatch.setattr(inbox, "COLLECT_RECEIPTS", 2)
    rig = make_rig(tmp_path)
    for number in range(1, 6):
        note(rig)
        sealed(rig)
        put_receipt(rig, number)
    spool.receipt_path(rig.board.unit.data_dir, 1).write_bytes(b"refused")
    done = []
    for _ in range(4):
        rig.inbox.collect()
        done.append(sum(is_receipted(rig, number) for number in range(1, 6)))
    assert done == [1, 3, 4, 4]


def test_many_batches_are_compared_after_a_start_without_keeping_a_card_waiting(
    tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.setattr(inbox, "CHECK_BATCHES", 2)
    rig = make_rig(tmp_path)
    for _ in range(5):
        note(rig)
        sealed(rig)
    data_dir = rig.board.unit.data_dir
    paths = [path for _, path in spool.batches(data_dir)]
    whole = [path.read_bytes() for path in paths]
    for path in paths:
        path.write_bytes(b"spoilt")
    rig.restart()
    right = []
    for _ in range(4):
        rig.inbox.seal_if_due()
        right.append(sum(path.read_bytes() == raw for path, raw in zip(paths, whole, strict=True)))
    assert right == [2, 4, 5, 5]
    paths[0].write_bytes(b"spoilt")
    rig.inbox.seal_if_due()
    assert paths[0].read_bytes() == b"spoilt", "once after a start"


def test_what_power_cuts_left_half_written_does_not_pile_up(tmp_path: Path) -> None:
    rig = make_rig(tmp_path)
    data_dir = rig.board.unit.data_dir
    for place in ("out/.00000001.batch.7.new", "applied/.officekey.cose.8.new"):
        (data_dir / place).write_bytes(b"half")
    rig.restart()
    assert [each for name in ("out", "applied") for each in (data_dir / name).iterdir()] == []
