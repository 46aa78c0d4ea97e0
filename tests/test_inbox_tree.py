"""Receipts out of order and an office that rewrites, as the card process meets them."""

from __future__ import annotations

from pathlib import Path

import pytest

from firmware.journal import merkle, spool
from firmware.journal.batch import parse_batch
from tests.receipts import receipt_of
from tests.rig import Rig
from tests.test_inbox import OFFICE, is_receipted, make_rig, note, now_ms, sealed, services
from tests.test_officefiles import FIRST_CHANGE, SECOND, bring


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    made = make_rig(tmp_path)
    for _ in range(3):
        note(made)
        sealed(made)
    return made


def put(rig: Rig, number: int, **changed: object) -> None:
    """The receipt of a batch into up/; receipts must be asked for in the order of batches."""
    data_dir = rig.board.unit.data_dir
    out = spool.batch_path(data_dir, number).read_bytes()
    statement = parse_batch(out, rig.key.public_key).statement
    raw = receipt_of(statement, changed.pop("signer", OFFICE), now_ms(rig), **changed)
    spool.write_atomic(spool.receipt_path(data_dir, number), raw)


def receipted(rig: Rig) -> list[int]:
    return [number for number in (1, 2, 3) if is_receipted(rig, number)]


def test_a_receipt_that_came_early_waits_without_a_complaint(rig: Rig, caplog) -> None:
    caplog.set_level("INFO")
    for number in (1, 2, 3):
        put(rig, number)
    held = spool.receipt_path(rig.board.unit.data_dir, 2)
    raw = held.read_bytes()
    held.unlink()
    for _ in range(3):
        rig.inbox.collect()
        rig.hands.now_s += 61
    assert receipted(rig) == [1]
    assert (rig.shown, services(rig)) == ([], [])
    assert caplog.text.count("00000003.receipt waits") == 1
    held.write_bytes(raw)
    rig.inbox.collect()
    rig.inbox.collect()
    assert receipted(rig) == [1, 2, 3]


def test_an_early_receipt_is_looked_at_again_after_a_minute(rig: Rig, monkeypatch) -> None:
    """The office may have begun a new tree meanwhile: then it is the first of that."""
    for number in (1, 2, 3):
        put(rig, number)
    spool.receipt_path(rig.board.unit.data_dir, 2).unlink()
    rig.inbox.collect()
    rig.unit.journal.write("DELETE FROM counters WHERE name GLOB 'tree_*'")
    rig.inbox.collect()
    assert receipted(rig) == [1]
    rig.hands.now_s += 61
    rig.inbox.collect()
    assert receipted(rig) == [1, 3]


def test_an_office_that_rewrites_is_shown_and_journaled(rig: Rig) -> None:
    put(rig, 1)
    rig.inbox.collect()
    data_dir = rig.board.unit.data_dir
    out = spool.batch_path(data_dir, 2).read_bytes()
    statement = parse_batch(out, rig.key.public_key).statement
    leaves = [merkle.leaf(b"in place of batch 1"), merkle.leaf(statement.raw)]
    put(
        rig, 2, root=merkle.root(leaves), path=merkle.inclusion(leaves, 1),
        consistency=(1, merkle.consistency(leaves, 1)),
    )  # fmt: skip
    rig.inbox.collect()
    assert receipted(rig) == [1]
    assert rig.shown == ["RECEIPT_REFUSED"]
    ((number, detail),) = services(rig)
    assert number == 605
    assert "tree is not the one this unit knows" in detail


def test_a_receipt_that_came_before_the_key_it_is_signed_with_is_taken_after_it(rig: Rig) -> None:
    """The uplink fetches the office's files after the receipts."""
    put(rig, 1, signer=SECOND)
    rig.inbox.collect()
    assert receipted(rig) == []
    bring(rig, "officekey", FIRST_CHANGE)
    rig.inbox.collect()
    assert receipted(rig) == [1]
    (refused,) = services(rig)
    assert "another key" in refused[1]
