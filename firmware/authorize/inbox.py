"""Chores between cards: seal what is due, take in the office's receipts, keep its time.

The card process alone verifies what came down; what does not verify changes nothing and is shown.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

from firmware.authorize.filekeeper import APPLIED
from firmware.authorize.officefiles import (
    office_key_keeper,
    parameters_keeper,
    unit_stop_keeper,
    update_keeper,
)
from firmware.authorize.operatorskeeper import operators_keeper
from firmware.authorize.refusals import Refusals
from firmware.authorize.stoplistkeeper import stop_list_keeper
from firmware.authorize.unit import Unit
from firmware.clock import TRUST_NONE, TRUST_OFFICE, TRUST_RTC
from firmware.journal import batch, scrub, spool
from firmware.journal import kinds as rec
from firmware.journal.receipt import (
    MAX_RECEIPT,
    Receipt,
    ReceiptEarlyError,
    ReceiptError,
    accept_receipt,
)

log = logging.getLogger(__name__)

REST_S = 2.0
"""Riders reach the disk and the log is moved this long after the last service."""
SCRUB_RECORDS = 64
PRUNE_RECORDS = 256
PRUNE_REST_S = 3600.0
CHECK_BATCHES = 8
"""Built again and compared at a time, after a start."""
COLLECT_RECEIPTS = 16
"""Judged at a time: each costs some syncs, and a card may be waiting."""
EARLY_S = 60.0
"""A receipt that came before its predecessor is looked at again so often, and after the next."""
CLOCK_STEP_MS = 2000
"""An office time further off than this is journaled as CLOCK."""
ON_ITS_WAY_MS = 600_000
"""A receipt no older than this renews the trust in an office time that has run on since."""


class Inbox:
    def __init__(self, unit: Unit):
        self._unit = unit
        self._data_dir = unit.board.unit.data_dir
        self._touched = unit.monotonic()
        self._is_settled = False
        self._is_out = self._is_checked = False
        self._oldest: tuple[int, int] | None = None  # last sealed record; time of the one after it
        self._checked = 0  # the number of the last batch in out/ that was compared
        self._prune_at = 0.0
        self._refusals = Refusals(unit)
        self._early: dict[bytes, float] = {}  # receipts that wait for the one before: till when
        spool.make_folders(self._data_dir)
        for name in (spool.OUT, APPLIED):
            spool.sweep(self._data_dir / name)
        # Nobody knows how long these have been lying here: they tell no time.
        self._timeless = {number for number, _ in spool.receipts(self._data_dir)}
        # The office's keys come first: they verify the others.
        self.office_keys = office_key_keeper(unit, self._refusals)
        self.unit_stop = unit_stop_keeper(unit, self._refusals)
        self.stop_list = stop_list_keeper(unit, self._refusals)
        self.operators = operators_keeper(unit, self._refusals)
        self.parameters = parameters_keeper(unit, self._refusals)
        self.update = update_keeper(unit, self._refusals)

    def touch(self) -> None:
        """A service has just ended."""
        self._touched = self._unit.monotonic()
        self._is_settled = False

    @property
    def looks(self) -> tuple[Callable[[], None], ...]:
        """Each puts the newest good file of its kind in force; raises JournalError, OSError."""
        keepers = (
            self.office_keys,
            self.unit_stop,
            self.stop_list,
            self.operators,
            self.parameters,
            self.update,
        )
        return tuple(each.look for each in keepers)

    # -- going up --------------------------------------------------------------------------------

    def settle(self) -> None:
        """Once after a service, when the unit is at rest: what rides reaches the disk."""
        if not self._is_settled and self._unit.monotonic() - self._touched >= REST_S:
            self._unit.journal.checkpoint()
            self._is_settled = True

    def scrub_if_due(self) -> None:
        """A step of the day's round through the journal."""
        if scrub.is_due(self._unit.journal):
            self._unit.journal.scrub(SCRUB_RECORDS)

    def prune_if_due(self) -> None:
        """A step through what the office has receipted; after the last one an hour's rest."""
        now = self._unit.monotonic()
        if now >= self._prune_at and self._unit.journal.prune(PRUNE_RECORDS) == 0:
            self._prune_at = now + PRUNE_REST_S

    def seal_if_due(self) -> None:
        """One batch: when the oldest record is `seal_after_s` old, or there are enough for one."""
        journal, rules = self._unit.journal, self._unit.board.uplink
        if self._is_due():
            self._is_out = False
            batch.seal(journal, rules.batch_records)
        if not self._is_out:
            batch.put_out(journal)
            self._is_out = True
        if not self._is_checked:
            self._check_next()

    def _check_next(self) -> None:
        """Once after a start, a few at a time: a spoilt batch in out/ is written again."""
        journal, after = self._unit.journal, self._checked
        rows = journal.rows(
            "SELECT batch FROM batches WHERE receipt IS NULL AND batch > ? ORDER BY batch LIMIT ?",
            after,
            CHECK_BATCHES,
        )
        batch.put_out(journal, check=True, after=after, limit=CHECK_BATCHES)
        self._checked = rows[-1][0] if rows else after
        self._is_checked = not rows

    def _is_due(self) -> bool:
        journal, rules = self._unit.journal, self._unit.board.uplink
        sealed = int(journal.row("SELECT coalesce(max(last), 0) FROM batches")[0])
        if journal.head()[0] - sealed >= rules.batch_records:
            return True
        if self._oldest is None or self._oldest[0] != sealed:
            found = journal.records(sealed, 1)
            if not found:
                return False
            self._oldest = (sealed, found[0].time_ms)
        age_ms = self._unit.clock.now().epoch_ms - self._oldest[1]
        return not 0 <= age_ms < rules.seal_after_s * 1000  # or a clock that was set back

    # -- coming down -----------------------------------------------------------------------------

    def collect(self) -> None:
        """Receipts in up/, the next few.  Raises JournalError, OSError."""
        left = COLLECT_RECEIPTS
        for number, path in spool.receipts(self._data_dir):
            # A batch that is out no more has its receipt: uplink will remove this one.
            if spool.batch_path(self._data_dir, number).exists():
                left -= self._take_receipt(number, path)
            if left <= 0:
                return

    def _take_receipt(self, number: int, path: Path) -> bool:
        """False: it was judged before, or cannot be."""
        key = self._unit.office_keys.signing
        if key is None:
            return False
        with path.open("rb") as file:
            raw = file.read(MAX_RECEIPT + 1)
        now = self._unit.monotonic()
        judged = key + raw  # another key may find it good
        if self._refusals.holds(judged) or self._early.get(raw, now) > now:
            return False
        try:
            receipt = accept_receipt(self._unit.journal, raw, key)
        except ReceiptEarlyError as error:
            if raw not in self._early:
                log.info("%s waits: %s", path.name, error)
            self._early[raw] = now + EARLY_S
            return True
        except ReceiptError as error:
            self._refusals.add(judged, "RECEIPT_REFUSED", f"{path.name}: {error}")
            return True
        self._early.pop(raw, None)
        self._early = dict.fromkeys(self._early, now)  # one of them may be the next
        if receipt.batch != number:  # an old one under another name tells no time
            self._refusals.add(
                judged, "RECEIPT_REFUSED", f"{path.name} is of batch {receipt.batch}"
            )
        elif number not in self._timeless:
            self._set_clock(receipt)
        return True

    def _set_clock(self, receipt: Receipt) -> None:
        """A receipt's time is the past by what it took to come: it may set forward, never back."""
        clock = self._unit.clock
        before = clock.now()
        lag_ms = before.epoch_ms - receipt.time_ms
        if before.trust == TRUST_NONE:
            if receipt.time_ms < clock.floor_ms:
                return
            new_ms = receipt.time_ms
        elif lag_ms <= 0:
            new_ms = receipt.time_ms
        elif before.trust == TRUST_OFFICE and lag_ms <= ON_ITS_WAY_MS:
            new_ms = before.epoch_ms  # the office is heard: its time is trusted for longer
        else:
            return
        if before.trust == TRUST_RTC and abs(lag_ms) <= CLOCK_STEP_MS:
            return  # the RTC is right, and stays the source
        clock.set_office_time(new_ms)
        if abs(new_ms - before.epoch_ms) > CLOCK_STEP_MS:
            times = {rec.KEY_OLD_TIME: max(before.epoch_ms, 0), rec.KEY_NEW_TIME: new_ms}
            self._unit.journal.append(rec.KIND_CLOCK, times)

    def status(self) -> dict[str, Any]:
        """Batches waiting for their receipt."""
        return {"batches_out": len(spool.batches(self._data_dir))}
