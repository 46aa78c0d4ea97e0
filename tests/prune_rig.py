"""An old journal of one of each thing, what is expected to stay of it, and the time to prune it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from journal_maker import (
    START_MS,
    TEST_DEVICE_KEY,
    TEST_OFFICE_KEY,
    clock,
    done_body,
    intent_body,
    open_journal,
    purchase,
    receipt_for,
    start_body,
    totals_body,
    uncertain_body,
    void_body,
)

from firmware.clock import Clock
from firmware.journal import batch, kinds, prune
from firmware.journal.kinds import (
    KIND_APPLIED,
    KIND_DAY_KEY,
    KIND_DECLINED,
    KIND_DONE,
    KIND_INTENT,
    KIND_KEY_CHANGE,
    KIND_LOAD_DONE,
    KIND_LOAD_INTENT,
    KIND_LOAD_VOID,
    KIND_REPRINT,
    KIND_RULED,
    KIND_SHIFT_OPEN,
    KIND_START,
    KIND_SUSPECT,
    KIND_TAMPER,
    KIND_TOTALS,
    KIND_UNCERTAIN,
    KIND_VOID,
)
from firmware.journal.receipt import accept_receipt
from firmware.journal.store import Journal

DAY_MS = 86_400_000
KEEP = 20
LATER = START_MS + 91 * DAY_MS
TAMPER = {kinds.KEY_DETAIL: "x"}
SUSPECT_BODY = {kinds.KEY_MAC2_STATE: 2, kinds.KEY_TAC_STATE: 2, kinds.KEY_KNOWN_BY: 1}


def load_body(order_no: str) -> dict[int, Any]:
    body = {key: value for key, value in intent_body(order_no).items() if key < 18 and key != 4}
    del body[kinds.KEY_PURCHASE_SERIAL]
    body |= {8: 1, 9: 1, 10: 1, kinds.KEY_TYPE: 0x31, kinds.KEY_MAC2: bytes(4)}
    return body | {kinds.KEY_LOAD_SERIAL: 1, kinds.KEY_LOAD_FEN: 100}


class Kept:
    """What one record or payment leaves behind; `expected`: the numbers that stay."""

    def __init__(self, journal: Journal):
        self.journal = journal
        self.expected: list[int] = []

    def add(self, kind: int, body: dict[int, Any], stays: bool) -> int:
        made = self.journal.append(kind, body)
        if stays:
            self.expected.append(made.number)
        return made.number

    def payment(self, order_no: str, *outcomes: tuple[int, dict], stays: bool, **more: Any) -> int:
        body = intent_body(order_no) | more.get("body", {})
        intent = self.add(KIND_INTENT, body, stays)
        for kind, extra in outcomes:
            self.add(kind, {kinds.KEY_INTENT: intent, **extra}, stays)
        return intent


def outcome_fields(body: dict[int, Any]) -> dict[int, Any]:
    return {key: value for key, value in body.items() if key != kinds.KEY_INTENT}


DONE = (KIND_DONE, outcome_fields(done_body(0)))
VOID = (KIND_VOID, outcome_fields(void_body(0)))
UNCERTAIN = (KIND_UNCERTAIN, outcome_fields(uncertain_body(0)))
TOTALS = (KIND_TOTALS, outcome_fields(totals_body(0)))
SUSPECT = (KIND_SUSPECT, {**SUSPECT_BODY, kinds.KEY_OUTCOME: 503})
RULED = (KIND_RULED, {kinds.KEY_OPERATOR: "x", kinds.KEY_DETAIL: "taken"})
EF06 = {kinds.KEY_EF06: [1, 0, 0]}


def old_journal(folder: Path, keep_newest: int = KEEP) -> tuple[Journal, Kept]:
    journal = open_journal(folder)
    journal._pruner = prune.Pruner(journal, 90, keep_newest)
    return journal, Kept(journal)


def send(journal: Journal, size: int = 1000) -> None:
    """All there is, sealed and receipted."""
    while sealed := batch.seal(journal, size):
        batch.put_out(journal)
        accept_receipt(journal, receipt_for(sealed), TEST_OFFICE_KEY.public_key)


def pad(journal: Journal, count: int = KEEP) -> None:
    for _ in range(count):
        journal.append(KIND_SHIFT_OPEN, {kinds.KEY_OPERATOR: "x"}, ride=True)
    journal.flush()


def set_clock(journal: Journal, start_ms: int = LATER, **how: Any) -> None:
    new = clock(start_ms) if not how else Clock(trust_h=24, wall=lambda: start_ms / 1000, **how)
    journal.clock = journal._writer._clock = new


def whole_round(journal: Journal, limit: int = 7) -> int:
    count = 0
    while step := journal.prune(limit):
        count += step
    return count


def left(journal: Journal) -> list[int]:
    return [number for (number,) in journal.rows("SELECT number FROM records ORDER BY number")]


def restart(journal: Journal, folder: Path) -> Journal:
    journal.close()
    again = open_journal(folder, clock=clock(LATER))
    again._pruner = prune.Pruner(again, 90, KEEP)
    return again


def everything(kept: Kept) -> None:
    """One of each thing that an old journal may hold."""
    kept.add(KIND_START, start_body(TEST_DEVICE_KEY.public_key), stays=False)
    kept.payment("done", DONE, TOTALS, stays=False)
    kept.payment("done-late", UNCERTAIN, DONE, TOTALS, stays=False)
    kept.payment("void", VOID, stays=False)
    kept.payment("ruled", SUSPECT, RULED, stays=False)
    kept.payment("no-ef06", DONE, stays=False)
    kept.payment("open", stays=True)
    kept.payment("uncertain", UNCERTAIN, stays=True)
    kept.payment("suspect", SUSPECT, stays=True)
    kept.payment("totals-due", DONE, stays=True, body=EF06)
    kept.payment("totals-written", DONE, TOTALS, stays=False, body=EF06)
    printed = kept.payment("open-printed", stays=True)
    kept.add(KIND_REPRINT, {kinds.KEY_INTENT: printed, kinds.KEY_OPERATOR: "x"}, stays=True)
    for order_no, kind, stays in (
        ("load-done", KIND_LOAD_DONE, False),
        ("load-void", KIND_LOAD_VOID, False),
        ("load-open", None, True),
    ):
        load = kept.add(KIND_LOAD_INTENT, load_body(order_no), stays)
        if kind == KIND_LOAD_DONE:
            fields = {kinds.KEY_TAC_STATE: 2, kinds.KEY_KNOWN_BY: 1}
            kept.add(kind, {kinds.KEY_INTENT: load, kinds.KEY_OUTCOME: 1, **fields}, stays)
        elif kind is not None:
            kept.add(kind, {kinds.KEY_INTENT: load, kinds.KEY_OUTCOME: 511}, stays)
    declined = {key: value for key, value in intent_body("declined").items() if key in (1, 2)}
    kept.add(KIND_DECLINED, {**declined, 22: 1, 23: 1, 24: 1, 36: 101}, stays=False)
    for number, stays in ((1, False), (2, True)):
        body = {kinds.KEY_WHAT: "stoplist", kinds.KEY_DIGEST: bytes(32), kinds.KEY_LAST: number}
        kept.add(KIND_APPLIED, body, stays)
        kept.add(KIND_DAY_KEY, {kinds.KEY_KEY_NO: number, kinds.KEY_WRAPPED: b"x"}, stays)
    body = {kinds.KEY_WHAT: "operators", kinds.KEY_DIGEST: bytes(32), kinds.KEY_LAST: 1}
    kept.add(KIND_APPLIED, body, stays=True)
    change = {kinds.KEY_PUBLIC_KEY: bytes(32), kinds.KEY_SIGNING_ALGORITHM: 8}
    kept.add(KIND_KEY_CHANGE, change, stays=True)
    kept.add(KIND_START, start_body(TEST_DEVICE_KEY.public_key), stays=True)
    kept.add(KIND_TAMPER, TAMPER | {kinds.KEY_CASE: 1}, stays=False)
    kept.add(KIND_TAMPER, TAMPER | {kinds.KEY_CASE: 2}, stays=True)


def five_old_payments(folder: Path, size: int = 3) -> Journal:
    journal, _ = old_journal(folder)
    for turn in range(5):
        purchase(journal, f"order-{turn}")
    journal.flush()
    send(journal, size)
    pad(journal)
    set_clock(journal)
    return journal
