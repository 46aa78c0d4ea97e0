"""Loads on paper: the evidence table, the journal's rules, and what the office makes of them.

The table is that of docs/architecture.md "One load".
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from firmware.authorize.evidence import Evidence
from firmware.authorize.loadevidence import decide
from firmware.card.settlement import LogRecord
from firmware.journal import kinds as rec
from firmware.journal.lifecycle import LifecycleError
from office import folder
from office.check import check
from office.day import rows
from office.folder import Folder
from office.tac import TacKeys
from tests.journal_maker import intent_body, open_journal
from tests.office_rig import Terminal
from tests.test_office_check import take
from tests.test_scrub import flip

TERMINAL, TIME7, OTHER = b"\x51\x01\x00\x00\x00\x01", bytes.fromhex("20261122120000"), bytes(7)
BEFORE, AMOUNT, SERIAL = 10_000, 5000, 7


def load_body(order_no: str = "L-1") -> dict[int, Any]:
    return {
        1: order_no, 2: "clerk", 3: TERMINAL, 5: bytes(16), 6: "A00000018", 7: bytes(13), 8: 1,
        9: 1, 10: 1, 12: bytes(4), 14: 0x31, 15: TIME7, 16: bytes(4), 17: BEFORE, 26: SERIAL,
        27: AMOUNT, 32: bytes(4),
    }  # fmt: skip


def log(serial: int, time7: bytes = OTHER, kind: int = 0x31, fen: int = AMOUNT) -> LogRecord:
    return LogRecord(serial, kind, TERMINAL, time7, fen, 0, 0)


OURS = log(SERIAL, TIME7)
DONE, VOID, UNCERTAIN = rec.KIND_LOAD_DONE, rec.KIND_LOAD_VOID, rec.KIND_LOAD_UNCERTAIN
TABLE = [
    ("nothing moved", SERIAL, BEFORE, (), None, VOID, None),
    ("nothing moved, an older proof", SERIAL, BEFORE, (log(6),), b"PPPP", VOID, None),
    ("payments since", SERIAL, BEFORE - 1, (log(3, kind=0x32),), None, VOID, None),
    ("unmoved, yet more money", SERIAL, BEFORE + AMOUNT, (), None, UNCERTAIN, None),
    ("unmoved, yet in the log", SERIAL, BEFORE, (OURS,), None, UNCERTAIN, None),
    ("done, proved", SERIAL + 1, BEFORE + AMOUNT, (OURS,), b"PPPP", DONE, b"PPPP"),
    ("done, no proof", SERIAL + 1, BEFORE + AMOUNT, (OURS,), None, DONE, None),
    ("in the log, no money", SERIAL + 1, BEFORE, (OURS,), b"PPPP", UNCERTAIN, None),
    ("done, then a payment", SERIAL + 1, 99, (log(3, kind=0x32), OURS), b"PPPP", DONE, None),
    ("done, then a load", SERIAL + 2, 99_999, (log(8), OURS), b"PPPP", DONE, None),
    ("another load instead", SERIAL + 1, 99_999, (log(SERIAL),), b"PPPP", VOID, None),
    ("the same amount as a payment", SERIAL + 1, 1, (log(7, TIME7, 0x32),), None, UNCERTAIN, None),
    ("the log wrapped", SERIAL + 5, 99_999, (log(11),), None, UNCERTAIN, None),
]


@pytest.mark.parametrize("row", TABLE, ids=[row[0] for row in TABLE])
def test_m14_the_evidence_table_of_a_load(tmp_path: Path, row: tuple[Any, ...]) -> None:
    _, serial, balance, entries, proof, kind, tac = row
    journal = open_journal(tmp_path)
    intent = journal.append(rec.KIND_LOAD_INTENT, load_body())
    journal.close()
    finding = decide(intent, Evidence(serial, (balance, 0, 0), entries, proof))
    assert (finding.kind, finding.tac) == (kind, tac)


def test_loads_and_payments_share_order_numbers_and_a_void_frees_one(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    first = journal.append(rec.KIND_LOAD_INTENT, load_body()).number
    for kind, body in ((rec.KIND_LOAD_INTENT, load_body()), (rec.KIND_INTENT, intent_body("L-1"))):
        with pytest.raises(LifecycleError):
            journal.append(kind, body)
    with pytest.raises(LifecycleError):
        journal.append(rec.KIND_VOID, {30: first, 36: 501})  # a payment's end
    assert [each.number for each in journal.open_loads()] == [first]
    assert journal.open_intents() == []
    journal.append(rec.KIND_LOAD_UNCERTAIN, {30: first, 36: 512})
    assert journal.payment_state(first) == rec.KIND_LOAD_UNCERTAIN
    journal.append(rec.KIND_LOAD_VOID, {30: first, 36: 511})
    assert journal.open_loads() == []
    with pytest.raises(LifecycleError):
        journal.append(rec.KIND_LOAD_DONE, {30: first, 34: 2, 35: 2, 36: 5})
    again = journal.append(rec.KIND_LOAD_INTENT, load_body()).number
    assert [each.number for each in journal.by_order("L-1")] == [first, 2, 3, again]
    journal.close()


def test_a_load_open_under_a_damaged_record_is_uncertain(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    number = journal.append(rec.KIND_LOAD_INTENT, load_body()).number
    journal.close()
    flip(tmp_path, number)
    again = open_journal(tmp_path)
    assert again.payment_state(number) == rec.KIND_LOAD_UNCERTAIN
    assert again.open_loads() == []
    again.close()


def test_the_office_counts_loads_and_shows_their_amounts(tmp_path: Path) -> None:
    folder.init(tmp_path / "office", "Office 1")
    office = Folder(tmp_path / "office")
    terminal = Terminal()
    done = terminal.add(rec.KIND_LOAD_INTENT, load_body("L-1"))
    terminal.add(rec.KIND_LOAD_DONE, {30: done, 31: b"TAC1", 34: 1, 35: 1, 36: 4})
    void = terminal.add(rec.KIND_LOAD_INTENT, load_body("L-2"))
    terminal.add(rec.KIND_LOAD_VOID, {30: void, 36: 511})
    terminal.add(rec.KIND_LOAD_INTENT, load_body("L-3"))
    take(office, terminal, 1, terminal.batch())
    found = check(office).to_json()
    assert (found["ok"], found["open"]) == (True, 1)
    assert found["loads"] == {"done": 1, "void": 1, "uncertain": 0}
    assert found["purchases"]["done"] == 0
    assert found["tac"] == {"not checked": 1}
    listed = list(rows(office.store, None, TacKeys()))
    assert [(each["order"], each["account"]) for each in listed[:2]] == [("L-1", AMOUNT)] * 2
    office.close()
