"""What leaves the unit: old records that the office has receipted and nothing here needs any more.

The rules are the table "Retention" of docs/records.md.  `journal.floor` is the highest number that
may be gone; below it stay open payments and what speaks of them.  The order numbers of payments
that left stay behind as counters `order:<hash>`: none of them can be paid again.
"""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING, Any, NamedTuple

from firmware.clock import TRUST_NONE
from firmware.journal import cose
from firmware.journal.cose import CoseError
from firmware.journal.kinds import (
    KEY_EF06,
    KEY_PUBLIC_KEY,
    KEY_SPECIAL,
    KEY_WHAT,
    KIND_APPLIED,
    KIND_DAMAGE,
    KIND_DAY_KEY,
    KIND_DONE,
    KIND_INTENT,
    KIND_KEY_CHANGE,
    KIND_LOAD_DONE,
    KIND_LOAD_VOID,
    KIND_RULED,
    KIND_START,
    KIND_TAMPER,
    KIND_TOTALS,
    KIND_VOID,
)
from firmware.journal.lifecycle import INTENT_KINDS, OUTCOME_KINDS
from firmware.journal.room import Floor

if TYPE_CHECKING:
    from firmware.journal.store import Journal

KEEP_NEWEST = 10_000  # records that never leave, however old they are
FLOOR = "pruned"  # the counter
ORDER = "order:"  # and 11 characters of base64: a counter with the number of the INTENT
PAID = (KIND_DONE, KIND_RULED, KIND_LOAD_DONE)  # their order numbers are used for good
FINAL = (*PAID, KIND_VOID, KIND_LOAD_VOID)
KEPT = (KIND_DAMAGE, KIND_KEY_CHANGE)
_DAY_MS = 86_400_000
_NEAR = 64  # records beside an untrusted time that are looked at for a trusted one


class _Row(NamedTuple):
    number: int
    kind: int
    intent: int | None
    order_no: str | None
    state: int | None
    damaged: int
    raw: bytes

    def envelope(self) -> dict[int, Any]:
        """Of a record the scrub has verified; empty for bytes that are none."""
        try:
            found = cose.decode(cose.peek1(self.raw).payload)
        except (CoseError, TypeError):
            return {}
        return found if isinstance(found, dict) and isinstance(found.get(9), dict) else {}

    def may_have_totals(self) -> bool:
        """Does a DONE of this INTENT leave something to write on the card?"""
        return bool(self.envelope().get(9, {}).keys() & {KEY_EF06, KEY_SPECIAL})


_SELECT = "SELECT number, kind, intent, order_no, state, damaged, raw FROM records"


def order_counter(order_no: str) -> str:
    """The name under which a paid order is remembered when its records are gone."""
    digest = hashlib.sha256(order_no.encode("utf-8", "surrogatepass")).digest()[:8]
    return ORDER + base64.urlsafe_b64encode(digest).decode().rstrip("=")


def remember(journal: Journal, floor: int, orders: set[str]) -> None:
    """In a journal made anew: what the one before had let go.  orders: names of counters."""
    insert = "INSERT OR IGNORE INTO counters VALUES (?, ?)"
    journal.write_all([(insert, FLOOR, floor), *((insert, name, 0) for name in sorted(orders))])
    journal.floor = floor


class Pruner:
    """Goes through the old records, round after round, a few at each step.

    retention_days: how long a record stays, by its time, while the clock is trusted.
    keep_newest: so many records stay in any case.
    """

    def __init__(self, journal: Journal, retention_days: int, keep_newest: int = KEEP_NEWEST):
        self._journal = journal
        self._retention_ms = retention_days * _DAY_MS
        self._keep_newest = keep_newest
        self._at = self._reach = 0
        self._newest: dict[tuple[object, ...], int] = {}
        self._is_over = True

    def step(self, limit: int) -> int:
        """Look at the next `limit` old records; how many there were, 0 when the round is over.

        Raises JournalError, OSError.
        """
        journal = self._journal
        journal.flush()
        if self._is_over:
            self._at, self._reach, self._newest = 0, self._find_reach(), {}
            self._is_over = False
        rows = [
            _Row(*row)
            for row in journal.rows(
                f"{_SELECT} WHERE number > ? AND number <= ? ORDER BY number LIMIT ?",
                self._at,
                self._reach,
                limit,
            )
        ]
        if not rows:
            self._is_over = True
            if self._reach:
                self._drop_batches()
            return 0
        self._take_out(rows)
        self._at = rows[-1].number
        return len(rows)

    # --- how far ---

    def _find_reach(self) -> int:
        """The highest number that may leave; 0 while the clock is not trusted."""
        journal, now = self._journal, self._journal.clock.now()
        if now.trust == TRUST_NONE:
            return 0
        sent = journal.row("SELECT max(last) FROM batches WHERE receipt IS NOT NULL")[0] or 0
        before_ms = now.epoch_ms - self._retention_ms
        old, young = 0, min(sent, journal.head()[0] - self._keep_newest) + 1
        while young - old > 1:  # the trusted times of records never go back
            middle = (old + young) // 2
            if self._is_old(middle, before_ms):
                old = middle
            else:
                young = middle
        return old

    def _is_old(self, number: int, before_ms: int) -> bool:
        """By the first trusted time at that number or after it."""
        rows = self._journal.rows(f"{_SELECT} WHERE number >= ? LIMIT ?", number, _NEAR)
        for row in rows:
            envelope = _Row(*row).envelope()
            if envelope.get(5, TRUST_NONE) != TRUST_NONE:
                return bool(envelope[4] < before_ms)
        return False

    # --- what ---

    def _take_out(self, rows: list[_Row]) -> None:
        receipted = self._receipted(rows[0].number, rows[-1].number)
        gone: list[int] = []
        orders: dict[str, int] = {}
        for row in rows:
            if not any(first <= row.number <= last for first, last in receipted):
                continue
            if row.kind in INTENT_KINDS:
                outcome = self._final_outcome(row)
                may_go = outcome is not None
                if row.order_no is not None and outcome in PAID:
                    orders[order_counter(row.order_no)] = row.number
            elif row.intent is not None:
                may_go = row.intent in gone or self._is_gone(row.intent)
            else:
                may_go, superseded = self._is_superseded(row)
                gone += superseded
            if may_go:
                gone.append(row.number)
        self._forget(gone, orders, rows[-1].number)

    def _receipted(self, first: int, last: int) -> list[tuple[int, int]]:
        return self._journal.rows(
            "SELECT first, last FROM batches WHERE last >= ? AND first <= ?"
            " AND receipt IS NOT NULL",
            first,
            last,
        )

    def _is_gone(self, intent: int) -> bool:
        return self._journal.row("SELECT 1 FROM records WHERE number = ?", intent) is None

    def _final_outcome(self, intent: _Row) -> int | None:
        """Its kind, if all that speaks of the payment is old and no totals are due on the card."""
        speakers = self._journal.rows(
            "SELECT number, kind FROM records WHERE intent = ? ORDER BY number", intent.number
        )
        outcomes = [kind for _, kind in speakers if kind in OUTCOME_KINDS]
        if intent.damaged or not outcomes or outcomes[-1] not in FINAL:
            return None
        if intent.kind == KIND_INTENT and intent.state != outcomes[-1]:
            return None  # the scrub will mend it first
        if speakers[-1][0] > self._reach:
            return None
        has_totals = any(kind == KIND_TOTALS for _, kind in speakers)
        if outcomes[-1] == KIND_DONE and not has_totals and intent.may_have_totals():
            return None
        return int(outcomes[-1])

    def _is_superseded(self, row: _Row) -> tuple[bool, list[int]]:
        """Of some kinds the newest of a group stays: (may it go, older ones that may go now)."""
        if row.kind in KEPT:
            return False, []
        body = row.envelope().get(9, {})
        match row.kind:
            case k if k == KIND_START:
                group: tuple[object, ...] = (row.kind, body.get(KEY_PUBLIC_KEY))
            case k if k == KIND_APPLIED:
                group = (row.kind, body.get(KEY_WHAT))
            case k if k in (KIND_DAY_KEY, KIND_TAMPER):
                group = (row.kind,)
            case _:
                return True, []
        before = self._newest.get(group)
        self._newest[group] = row.number
        return False, [] if before is None else [before]

    # --- out ---

    def _forget(self, gone: list[int], orders: dict[str, int], looked_at: int) -> None:
        """The orders, what will be left (journal.floor), then the records go: should the database
        be lost between two of these, no order is forgotten that was paid."""
        journal = self._journal
        floor = max(journal.floor, looked_at)
        if not gone and floor == journal.floor:
            return
        rows = journal.rows("SELECT number FROM records WHERE number <= ? ORDER BY number", floor)
        leaving = set(gone)
        remember = "INSERT OR REPLACE INTO counters VALUES (?, ?)"
        if orders:
            journal.write_all([(remember, name, number) for name, number in orders.items()])
        Floor(journal.data_dir).write(floor, [n for (n,) in rows if n not in leaving])
        journal.write_all(
            [
                *(("DELETE FROM records WHERE number = ?", number) for number in gone),
                (remember, FLOOR, floor),
            ]
        )
        journal.floor = floor

    def _drop_batches(self) -> None:
        """Statements and receipts whose records have all left, but for the newest, and those
        that tell where an office's tree stands."""
        self._journal.write(
            "DELETE FROM batches WHERE last <= ? AND receipt IS NOT NULL"
            " AND batch < (SELECT max(batch) FROM batches)"
            " AND batch NOT IN (SELECT value FROM counters WHERE name GLOB 'tree_*')"
            " AND NOT EXISTS (SELECT 1 FROM records WHERE number BETWEEN first AND last)",
            min(self._journal.floor, self._reach),
        )
