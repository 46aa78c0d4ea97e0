"""What must survive pruning: paid orders, damage, and a lost file (docs/records.md "Retention")."""

from __future__ import annotations

import shutil
import sqlite3

import pytest
from journal_maker import (
    clock,
    intent_body,
    open_journal,
)
from prune_rig import (
    DAY_MS,
    KEEP,
    LATER,
    everything,
    five_old_payments,
    left,
    load_body,
    old_journal,
    pad,
    restart,
    send,
    set_clock,
    whole_round,
)

from firmware.journal import kinds
from firmware.journal.kinds import (
    KIND_DAMAGE,
    KIND_INTENT,
)
from firmware.journal.lifecycle import LifecycleError
from firmware.journal.room import FLOOR, Floor
from firmware.journal.schema import OrderSettledError

# --- an order is one payment, for ever ---


@pytest.mark.parametrize("order_no", ["done", "done-late", "ruled", "load-done"])
def test_a_paid_order_is_never_paid_again_and_says_so(tmp_path, order_no):
    journal, kept = old_journal(tmp_path)
    everything(kept)
    send(journal)
    pad(journal)
    set_clock(journal)
    whole_round(journal)
    for _ in range(2):
        with pytest.raises(OrderSettledError, match=order_no):
            journal.by_order(order_no)
        for kind, body in ((KIND_INTENT, intent_body(order_no)), (9, load_body(order_no))):
            with pytest.raises(LifecycleError, match="begun by INTENT"):
                journal.append(kind, body)
        journal = restart(journal, tmp_path)
    journal.close()


@pytest.mark.parametrize("order_no", ["void", "load-void", "declined", "never-seen"])
def test_an_order_that_took_nothing_may_be_begun_again(tmp_path, order_no):
    journal, kept = old_journal(tmp_path)
    everything(kept)
    send(journal)
    pad(journal)
    set_clock(journal)
    whole_round(journal)
    assert journal.by_order(order_no) == []
    journal.append(KIND_INTENT, intent_body(order_no))
    journal.close()


# --- damage, and the file itself lost ---


def test_a_hole_above_the_floor_is_damage_still(tmp_path):
    journal = five_old_payments(tmp_path)
    whole_round(journal)
    with sqlite3.connect(tmp_path / "journal.db") as other:
        other.execute("DELETE FROM records WHERE number = ?", (journal.floor + 3,))
    other.close()
    while journal.scrub(5):
        pass
    assert journal.damaged_ranges() == [(18, 18)]
    journal.close()


def test_a_damaged_payment_and_its_declaration_stay(tmp_path):
    journal = five_old_payments(tmp_path)
    journal.write("UPDATE records SET raw = x'00' WHERE number = 4")
    while journal.scrub(50):
        pass
    assert journal.damaged_ranges() == [(4, 4)]
    pad(journal)
    send(journal)
    pad(journal)
    set_clock(journal, LATER + 91 * DAY_MS)
    whole_round(journal)
    declared = journal.row("SELECT min(number) FROM records WHERE kind = ?", KIND_DAMAGE)[0]
    assert 4 in left(journal)
    assert 4 < declared < journal.floor
    assert journal.row("SELECT 1 FROM records WHERE kind = ?", KIND_DAMAGE) == (1,)
    journal = restart(journal, tmp_path)
    while journal.scrub(50):
        pass
    assert journal.damaged_ranges() == [(4, 4)]
    journal.close()


def test_a_lost_file_brings_nothing_back_and_forgets_no_order(tmp_path):
    journal, kept = old_journal(tmp_path)
    everything(kept)
    last = journal.head()[0]
    send(journal)
    pad(journal)
    journal.checkpoint()
    shutil.copy(tmp_path / "journal.db", tmp_path / "journal.db.damaged-before")
    set_clock(journal)
    whole_round(journal)
    orders = set(journal.rows("SELECT name FROM counters WHERE name GLOB 'order:*'"))
    assert len(orders) == 6
    before = left(journal)
    journal.close()
    with open(tmp_path / "journal.db", "r+b") as file:
        file.write(bytes(100))  # the header
    again = open_journal(tmp_path, clock=clock(LATER))
    assert [number for number in left(again) if number <= last + KEEP] == before
    assert all(first > last + KEEP for first, _ in again.damaged_ranges())
    assert set(again.rows("SELECT name FROM counters WHERE name GLOB 'order:*'")) == orders
    assert again.floor == last
    opened = {each.body[kinds.KEY_ORDER_NO] for each in again.open_intents()}
    assert opened == {"open", "uncertain", "open-printed"}
    with pytest.raises(OrderSettledError):
        again.by_order("done")
    again.close()


def test_a_cut_before_the_records_left_forgets_no_order_with_the_file(tmp_path, monkeypatch):
    """The floor is on the disk, the deletion is not, and the power cut took the database."""
    journal = five_old_payments(tmp_path)
    real = journal._writer.write_all

    def cut(statements):
        if any(str(sql).startswith("DELETE") for sql, *_ in statements):
            raise KeyboardInterrupt
        real(statements)

    monkeypatch.setattr(journal._writer, "write_all", cut)
    with pytest.raises(KeyboardInterrupt):
        whole_round(journal)
    journal.checkpoint()
    journal.close()
    with open(tmp_path / "journal.db", "r+b") as file:
        file.write(bytes(100))  # the header
    again = open_journal(tmp_path, clock=clock(LATER))
    assert again.floor > 0
    for turn in range(5):
        with pytest.raises(LifecycleError):
            again.append(KIND_INTENT, intent_body(f"order-{turn}"))
    again.close()


@pytest.mark.parametrize("raw", [b"", b"x", b"5\n7\n00000000\n", b"5\n"])
def test_a_damaged_floor_file_is_not_believed(tmp_path, raw):
    (tmp_path / FLOOR).write_bytes(raw)
    assert Floor(tmp_path).read() == (0, set())


def test_what_left_cannot_be_carved_from_the_file(tmp_path):
    journal = five_old_payments(tmp_path)
    raws = [journal.get(number).raw for number in range(1, 16)]
    journal.checkpoint()
    assert all(raw in (tmp_path / "journal.db").read_bytes() for raw in raws)
    whole_round(journal)
    journal.close()
    assert not any(raw in (tmp_path / "journal.db").read_bytes() for raw in raws)
