"""The journal: records appended one transaction at a time, each transaction one fdatasync.

What `append` returned is on the disk.  A record that rides is numbered at once and reaches the disk
with the next transaction; until then a crash may take it, and its number is used again.
One thread writes (the lock makes it so), any thread reads.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from firmware.clock import TRUST_NONE, Clock
from firmware.journal import record, room, rotation, salvage, scrub, spool, succession
from firmware.journal.algorithms import Signer, key_id
from firmware.journal.kinds import (
    KEY_INTENT,
    KEY_ORDER_NO,
    KIND_NAMES,
)
from firmware.journal.lifecycle import (
    INTENT_KINDS,
    OUTCOME_KINDS,
    LifecycleError,
)
from firmware.journal.prune import FLOOR, Pruner
from firmware.journal.record import NO_PREVIOUS, Record
from firmware.journal.room import CEILING_STEP, Ceiling, Reserve
from firmware.journal.schema import DAY_KEY, JournalCorruptError, JournalFullError
from firmware.journal.statement import Statement
from firmware.journal.view import View
from firmware.journal.writer import Writer

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Settings:
    """What every record of the unit says of it, and who signs.

    profile: PROFILE_* of kinds.py.  take: where a changed key is found (rotation.py).
    """

    signer: Signer
    unit: str
    profile: int
    clock: Clock
    min_free_mb: int
    take: rotation.Take
    retention_days: int


class Journal(View):
    """See docs/records.md.  Open it with `Journal.open`."""

    def __init__(self, path: Path, settings: Settings):
        self.data_dir = path.parent
        self.signer = settings.signer
        self.clock = settings.clock
        self._settings = settings
        self._reserve = Reserve(self.data_dir)
        self.lock = threading.RLock()
        self._riders: list[Record] = []
        self._pruner = Pruner(self, settings.retention_days)
        self._connect(path)

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str],
        *,
        signer: Signer,
        unit: str,
        profile: int,
        clock: Clock,
        min_free_mb: int = 16,
        take: rotation.Take = lambda ident: None,
        retention_days: int = 90,
    ) -> Journal:
        """The journal in that file, made if there is none, checked as far as a start allows.

        The newest 256 records, the open INTENTs and the head are verified; damage is quarantined.
        A file that is no database any more is moved aside and its records carried over.
        Raises JournalError when there is no way to keep a journal there.
        """
        path = Path(path)
        settings = Settings(signer, unit, profile, clock, min_free_mb, take, retention_days)
        spool.make_folders(path.parent)
        try:
            return cls._open(path, settings)
        except JournalFullError:
            if not Reserve(path.parent).give_back():
                raise
            return cls._open(path, settings)

    @classmethod
    def _open(cls, path: Path, settings: Settings) -> Journal:
        in_log = list(salvage.carve([salvage.wal_of(path)], record.CONTENT_TYPE))
        try:
            if Ceiling(path.parent).value and not (path.exists() and path.stat().st_size):
                raise JournalCorruptError("the database is gone")
            journal = cls(path, settings)
            journal._begin(in_log)
        except JournalCorruptError as error:
            salvage.rebuild(path, str(error), lambda new: cls(new, settings))
            journal = cls(path, settings)
            journal._begin([])
        return journal

    def _connect(self, path: Path) -> None:
        """Both connections, and where the journal stands."""
        self._ceiling = Ceiling(self.data_dir)
        self._writer = Writer(path, self.clock)
        try:
            self._number, self._digest = self._writer.head()
            self._boot = self._writer.count_start()
            self._writer.keep_key(self.signer.public_key)
            super().__init__(path, self._settings.unit)
            self.scrubbed = self.counter("scrubbed")
            self.floor = self.counter(FLOOR)
        except BaseException:
            self._writer.close()
            raise

    def _begin(self, in_log: list[bytes]) -> None:
        """What every start checks.  in_log: the records found in the log before it was opened."""
        try:
            self._adopt(salvage.numbered_above(self._number, in_log, self.keys))
            if self._ceiling.value > self._number + 2 * CEILING_STEP:
                raise JournalCorruptError("it is older than records written since")
            rotation.settle(self, self._settings.take)
            self._ceiling.reach(self._number + 1)
            for newest in scrub.check_newest(self):
                if newest.trust != TRUST_NONE:
                    self.clock.set_floor(newest.time_ms)
        except BaseException:
            self.close()
            raise

    def _adopt(self, found: list[Record]) -> None:
        """Records that SQLite dropped with a damaged log, as far as they continue the chain."""
        by_previous = {each.previous: each for each in found}
        while next_one := by_previous.pop(self._digest, None):
            log.warning("record %d was taken from the damaged log", next_one.number)
            self._writer.transact([next_one])
            self._number, self._digest = next_one.number, next_one.digest

    def take_over(
        self,
        records: list[Record],
        headers: list[Statement],
        keys: dict[bytes, bytes],
        ceiling: int,
    ) -> None:
        """Fill this empty journal with what was saved; the next number is above the ceiling."""
        with self.lock:
            self._writer.transact(records)
            for public_key in keys.values():
                self.keep_key(public_key)
            rotation.end_keys(self, records)
            for each in headers:
                values = (each.batch, each.first, each.last, each.raw)
                self.write("INSERT INTO batches VALUES (?, ?, ?, ?, NULL)", *values)
            self._boot = max((each.boot for each in records), default=0) + 1
            self.set_counter("boot", self._boot)
            self.set_counter("batch_floor", ceiling)  # no batch had a number above its records'
            self.set_counter(DAY_KEY, ceiling)  # nor had a day key
            self._number = ceiling
            self._digest = records[-1].digest if records else NO_PREVIOUS
            rotation.settle(self, self._settings.take)

    # --- what is there ---

    @property
    def public_keys(self) -> list[bytes]:
        """Every device key this unit had, the one in use first."""
        own = self.signer.public_key
        return [own, *(each for each in self.keys.values() if each != own)]

    @property
    def ceiling(self) -> int:
        """Numbers up to this one may be in use."""
        return self._ceiling.value

    def counter(self, name: str) -> int:
        row = self.row("SELECT value FROM counters WHERE name = ?", name)
        return 0 if row is None else int(row[0])

    def set_counter(self, name: str, value: int) -> None:
        self.write("INSERT OR REPLACE INTO counters VALUES (?, ?)", name, value)

    def head(self) -> tuple[int, bytes]:
        """Number and digest of the newest record, riders included; (0, zeros) when empty."""
        with self.lock:
            return self._number, self._digest

    @property
    def boot(self) -> int:
        """The count of starts, this one included."""
        return self._boot

    def by_order(self, order_no: str) -> list[Record]:
        with self.lock:
            riding = list(self._riders)
        found = super().by_order(order_no)
        numbers = {each.number for each in found}
        return found + [
            each
            for each in riding
            if each.number not in numbers
            and (each.body.get(KEY_INTENT) in numbers or each.body.get(KEY_ORDER_NO) == order_no)
        ]

    def open_totals(self, card_id: bytes) -> list[Record]:
        with self.lock:
            riding = {each.body.get(KEY_INTENT) for each in self._riders}
        return [each for each in super().open_totals(card_id) if each.number not in riding]

    # --- room ---

    def free_mb(self) -> int:
        return room.free_mb(self.data_dir)

    @property
    def has_room(self) -> bool:
        """Whether a new payment may begin: what it will have to write later still fits."""
        return self.free_mb() >= self._settings.min_free_mb

    # --- writing ---

    def append(self, kind: int, body: Mapping[int, Any], *, ride: bool = False) -> Record:
        """A new record, on the disk when this returns, or with the next one if it rides.

        Raises RecordError (kind or body), LifecycleError (not now), JournalFullError, JournalError.
        After any of them the journal is as before and the number is not used.
        """
        with self.lock:
            new = self._build(kind, body)
            self._may_follow(new)
            if ride:
                if kind in INTENT_KINDS or kind in OUTCOME_KINDS:
                    raise LifecycleError(f"{KIND_NAMES[kind]} does not ride: it waits for the disk")
                self._riders.append(new)
            else:
                self._write([*self._riders, new])
                self._riders.clear()
            self._number, self._digest = new.number, new.digest
            if new.trust != TRUST_NONE:
                self.clock.set_floor(new.time_ms)
            return new

    def flush(self) -> None:
        """Write what rides; raises as `append` does, and then it rides on."""
        with self.lock:
            if self._riders:
                self._write(self._riders)
                self._riders.clear()

    def sign_with(self, signer: Signer) -> None:
        """The key of every record from now on; see rotation.py."""
        with self.lock:
            self.keep_key(signer.public_key)
            self.signer = signer
            self._settings = replace(self._settings, signer=signer)

    def keep_key(self, public_key: bytes) -> None:
        """Know this device key from now on."""
        with self.lock:
            self._writer.keep_key(public_key)
            self.keys = {**self.keys, key_id(public_key): public_key}

    def _build(self, kind: int, body: Mapping[int, Any]) -> Record:
        now = self.clock.now()
        return record.build(
            kind,
            body,
            unit=self.unit,
            number=self._number + 1,
            boot=self._boot,
            time_ms=now.epoch_ms,
            trust=now.trust,
            profile=self._settings.profile,
            previous=self._digest,
            signer=self.signer,
        )

    def _may_follow(self, new: Record) -> None:
        """Raises LifecycleError, or JournalFullError for an INTENT without room for its outcome."""
        succession.check(self._writer, new)
        if new.kind in INTENT_KINDS and not self.has_room:
            raise JournalFullError(
                f"{self.free_mb()} MiB free on the disk of {self.data_dir}, "
                f"{self._settings.min_free_mb} needed: free some"
            )

    def _write(self, records: list[Record]) -> None:
        """One transaction; with the disk full, once more on the reserve, but never an INTENT."""
        try:
            self._transact(records)
        except JournalFullError:
            if records[-1].kind in INTENT_KINDS or not self._reserve.give_back():
                raise
            self._transact(records)

    def _transact(self, records: list[Record]) -> None:
        self._ceiling.reach(records[-1].number)
        try:
            self._writer.transact(records)
        except JournalCorruptError:
            self.is_corrupt = True
            raise

    def write(self, sql: str, *values: object) -> None:
        """One statement on batches, marks or derived columns, on the disk when this returns."""
        with self.lock:
            self._writer.write(sql, *values)

    def write_all(self, statements: Sequence[tuple[object, ...]]) -> None:
        """(SQL, its values ...) each; all of them or none."""
        with self.lock:
            self._writer.write_all(statements)

    # --- between cards ---

    def checkpoint(self) -> None:
        """Move the log into the database and start it afresh; call it while no card is in."""
        with self.lock:
            self.flush()
            self._ceiling.look_ahead(self._number)
            if self.has_room:
                self._reserve.keep()
            self.write("PRAGMA wal_checkpoint(RESTART)")
            # A fresh log costs one more sync: let this write pay it, not a purchase.
            self.set_counter("scrubbed", self.scrubbed)

    def scrub(self, limit: int) -> int:
        """Check the next `limit` records; how many there were, 0 at the end of a round.

        What rides is written first: it has a number and would be missed in the file.
        A file found damaged as a whole is rebuilt on the spot.  Raises JournalError.
        """
        with self.lock:
            try:
                self.flush()
                if self.is_corrupt:
                    raise JournalCorruptError("its structure is broken")
                return scrub.advance(self, limit)
            except JournalCorruptError as error:
                self._renew(str(error))
                return 0

    def prune(self, limit: int) -> int:
        """Look at the next `limit` old records; how many there were, 0 at the end of a round.

        Raises JournalError, OSError.
        """
        with self.lock:
            return self._pruner.step(limit)

    def _renew(self, why: str) -> None:
        """Carry the records into a new file; what rode is numbered again there."""
        riders, self._riders = self._riders, []
        self.close()
        salvage.rebuild(self.path, why, lambda new: Journal(new, self._settings))
        self._connect(self.path)
        for each in riders:
            self.append(each.kind, each.body)

    def close(self) -> None:
        """Write what rides and let go of the file."""
        with self.lock:
            try:
                self.flush()
            finally:
                super().close()
                self._writer.close()
