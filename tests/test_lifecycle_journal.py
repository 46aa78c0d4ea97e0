"""Both life cycles as the journal keeps them: what it takes in each state, and what it keeps."""

from __future__ import annotations

import itertools
import re
from pathlib import Path
from typing import Any

import pytest
from journal_maker import (
    TEST_OFFICE_KEY,
    done_body,
    intent_body,
    open_journal,
    receipt_for,
)
from test_lifecycle import LEGAL, NUMBERS, STATES

from firmware.journal import batch, kinds
from firmware.journal.kinds import KIND_INTENT, KIND_RULED, KIND_SUSPECT
from firmware.journal.lifecycle import LifecycleError
from firmware.journal.receipt import accept_receipt
from firmware.journal.store import Journal

EXAMPLES: dict[str, Any] = {
    "text": "x", "uint": 1, "bool": True, "bytes": b"x", "32 or 65 bytes": bytes(32),
    "{uint: uint}": {}, "[uint, uint, uint]": [0, 0, 0],
}  # fmt: skip
ROADS = {
    "NONE": (),
    "INTENT": ("INTENT",),
    "DONE": ("INTENT", "DONE"),
    "VOID": ("INTENT", "UNCERTAIN", "VOID"),
    "SUSPECT": ("INTENT", "SUSPECT"),
    "UNCERTAIN": ("INTENT", "UNCERTAIN"),
    "RULED": ("INTENT", "SUSPECT", "RULED"),
    "LOAD_INTENT": ("LOAD_INTENT",),
    "LOAD_DONE": ("LOAD_INTENT", "LOAD_UNCERTAIN", "LOAD_DONE"),
    "LOAD_VOID": ("LOAD_INTENT", "LOAD_VOID"),
    "LOAD_UNCERTAIN": ("LOAD_INTENT", "LOAD_UNCERTAIN"),
}
EVENTS = sorted({kind for _, kind in LEGAL})


def example(key: int) -> Any:
    type_name = kinds.KEYS[key][1]
    sized = re.fullmatch(r"(\d+) bytes", type_name)
    return bytes(int(sized[1])) if sized else EXAMPLES[type_name]


def body_of(name: str, intent: int, last: int) -> dict[int, Any]:
    """The least that a record of that kind holds; `last` is the DONE of a REFUND_REQUEST."""
    body = {key: example(key) for key in kinds.KINDS[NUMBERS[name]].required}
    told = {kinds.KEY_INTENT: intent, kinds.KEY_DONE: last}
    return {key: told.get(key, value) for key, value in body.items()}


def walk(journal: Journal, state: str) -> tuple[int, int]:
    """Put a payment into that state; the numbers of its INTENT and of its newest record."""
    intent = last = 0
    for name in ROADS[state]:
        made = journal.append(NUMBERS[name], body_of(name, intent, last))
        intent, last = intent or made.number, made.number
    return intent, last


@pytest.mark.parametrize(("state", "kind"), list(itertools.product(STATES, EVENTS)))
def test_the_journal_takes_what_the_table_allows_and_nothing_else(
    tmp_path: Path, state: str, kind: str
) -> None:
    journal = open_journal(tmp_path)
    intent, last = walk(journal, state)
    assert journal.payment_state(intent) == NUMBERS[state]
    head = journal.head()
    begins = kind in ("INTENT", "LOAD_INTENT")
    # another payment of the same order: only after one that took nothing
    allowed = state in ("NONE", "VOID", "LOAD_VOID") if begins else (state, kind) in LEGAL
    body = body_of(kind, intent, last)
    if allowed:
        made = journal.append(NUMBERS[kind], body)
        assert made.number == head[0] + 1
        after = kind if begins else LEGAL[state, kind]
        assert journal.payment_state(made.number if begins else intent) == NUMBERS[after]
    else:
        with pytest.raises(LifecycleError):
            journal.append(NUMBERS[kind], body)
        assert journal.head() == head
        assert journal.payment_state(intent) == NUMBERS[state]
    journal.close()


def test_a_batch_is_sealed_once_and_receipted_once(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    walk(journal, "DONE")
    assert batch.seal(journal) is not None
    assert batch.seal(journal) is None  # SEALED: nothing is sealed twice
    (sealed,) = journal.rows("SELECT batch, receipt FROM batches")
    assert sealed == (1, None)
    assert batch.put_out(journal) == [1]
    contents = batch.parse_batch(
        (tmp_path / "out" / "00000001.batch").read_bytes(), journal.signer.public_key
    )
    receipt = receipt_for(batch.Batch(contents.statement, b""))
    for _ in range(2):  # RECEIPTED: the same again changes nothing
        accept_receipt(journal, receipt, TEST_OFFICE_KEY.public_key)
        assert journal.rows("SELECT batch, receipt FROM batches") == [(1, receipt)]
        assert batch.seal(journal) is None
        assert batch.put_out(journal) == []
    journal.close()


@pytest.mark.parametrize(("verdict", "spent"), [(None, 1480), (1, 1480), (2, 0), (3, 1480)])
def test_a_ruled_payment_counts_unless_it_was_not_taken(tmp_path, verdict, spent):
    """Written so, and made anew so by a scrub."""
    journal = open_journal(tmp_path)
    intent = journal.append(KIND_INTENT, intent_body())
    body = {**done_body(intent.number), kinds.KEY_MAC2_STATE: 2, kinds.KEY_OUTCOME: 503}
    journal.append(KIND_SUSPECT, body)
    day = journal.clock.day(intent.time_ms)
    assert journal.spent_fen(day) == 1480
    ruled = {kinds.KEY_INTENT: intent.number, kinds.KEY_OPERATOR: "x", kinds.KEY_DETAIL: "x"}
    journal.append(KIND_RULED, ruled | ({} if verdict is None else {kinds.KEY_VERDICT: verdict}))
    assert journal.spent_fen(day) == spent
    journal.write("UPDATE records SET fen = 77")
    while journal.scrub(10):
        pass
    assert journal.spent_fen(day) == spent
    journal.close()
