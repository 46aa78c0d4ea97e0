"""Batch files into the store: many at once, one durable transaction, a receipt for each.

Nothing that came is thrown away: a batch is in the books, or in the store under quarantine, or in
refused/ with the reason beside it.
"""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Callable, Sequence

from firmware.journal.batch import Sealed, open_file
from firmware.journal.record import digest_of
from firmware.journal.spool import write_atomic
from firmware.journal.statement import BatchError
from office.database import AlreadyThere, StoreLost
from office.errors import ROWS, OfficeError, Refused
from office.folder import Folder
from office.transaction import Taken, Transaction
from office.treerows import TreeRows

MAX_TOGETHER = 64
"""Batches in one transaction."""
PAUSES_S = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0)
"""Between attempts after the database was lost, each shortened by chance; then error 909."""

File = tuple["str | None", bytes]
"""The unit that the link knows at its other end, None if it knows none; the batch file."""


class Intake:
    """collector: the name of one of several that write to the same store, each with its own tree.

    One thread at a time; a lock sees to it.
    """

    def __init__(
        self,
        folder: Folder,
        collector: str = "",
        *,
        now_s: Callable[[], float] = time.time,
        pause: Callable[[float], None] = time.sleep,
        chance: random.Random | None = None,
    ):
        self._folder = folder
        self._store = folder.store
        issuer = self._store.name()
        self._trees = TreeRows(self._store, f"{issuer}/{collector}" if collector else issuer)
        self._now_s = now_s
        self._pause = pause
        self._chance = chance or random.SystemRandom()
        self._lock = threading.Lock()

    def take(self, files: Sequence[File]) -> list[Taken | Refused]:
        """Verify and store; what is Taken is on the disk, and its receipt may be sent.

        The same batch again gives the same receipt.  What is Refused lies in refused/, or in the
        store under quarantine.  Raises OfficeError 906, 909, 910: what was stored by then gives its
        receipt when it comes again.
        """
        results: list[Taken | Refused] = []
        with self._lock:
            self._folder.follow_key()
            for start in range(0, len(files), MAX_TOGETHER):
                results += self._durably(files[start : start + MAX_TOGETHER])
        return results

    def _durably(self, files: Sequence[File]) -> list[Taken | Refused]:
        for pause_s in (*PAUSES_S, None):
            try:
                results = self._together(files)
            except StoreLost:
                if pause_s is None:
                    raise
                self._reconnect(pause_s)
            else:
                for (unit, raw), result in zip(files, results, strict=True):
                    if isinstance(result, Refused) and result.number != 808:
                        self._keep_aside(unit, raw, result)
                return results
        raise AssertionError("the last pause is None")

    def _reconnect(self, pause_s: float) -> None:
        self._pause(pause_s * self._chance.uniform(0.5, 1.0))
        try:
            self._store.database.reconnect()
        except StoreLost:
            return  # the next attempt will say so

    def _together(self, files: Sequence[File]) -> list[Taken | Refused]:
        """One transaction; when a row was there already, one with care for each file."""
        try:
            return self._transact(files, careful=False)
        except AlreadyThere:
            return [self._alone(each) for each in files]

    def _alone(self, file: File) -> Taken | Refused:
        try:
            return self._transact([file], careful=True)[0]
        except AlreadyThere as error:
            return Refused(804, f"a number of it is stored: {error.detail}")

    def _transact(self, files: Sequence[File], *, careful: bool) -> list[Taken | Refused]:
        opened = [_opened(raw) for _, raw in files]
        claims = [None if isinstance(each, BatchError) else each.statement for each in opened]
        named = [
            unit or (claim.unit if claim else "")
            for (unit, _), claim in zip(files, claims, strict=True)
        ]
        order = sorted(
            range(len(files)),
            key=lambda at: (named[at], claim.batch if (claim := claims[at]) else 0),
        )
        found: dict[int, Taken | Refused] = {}
        now_ms = int(self._now_s() * 1000)
        try:
            with self._store.transaction():
                work = Transaction(
                    self._store, self._folder.signer, self._trees, now_ms, self._chance, careful
                )
                work.open(each for each in named if each)
                for at in order:
                    try:
                        found[at] = work.take(files[at][0], files[at][1], opened[at])
                    except Refused as refusal:
                        found[at] = refusal
                work.close()
        except BaseException:
            self._trees.forget()
            raise
        return [found[at] for at in range(len(files))]

    def _keep_aside(self, unit: str | None, raw: bytes, refusal: Refused) -> None:
        """The file and why, under a name made of its own digest: twice the same file is one."""
        opened = _opened(raw)
        batch = 0 if isinstance(opened, BatchError) else opened.statement.batch
        name = f"{batch:08d}-{digest_of(raw).hex()[:16]}"
        reason = {
            "error": refusal.number,
            "cause": ROWS[refusal.number].cause_en,
            "detail": refusal.detail,
            "unit": unit,
            "batch": batch,
            "time_ms": int(self._now_s() * 1000),
        }
        refused = self._folder.refused
        try:
            write_atomic(refused / f"{name}.batch", raw)
            text = json.dumps(reason, ensure_ascii=False, indent=1)
            write_atomic(refused / f"{name}.json", text.encode())
        except OSError as error:
            raise OfficeError(906, f"{refused}: {error.strerror}") from None


def _opened(raw: bytes) -> Sealed | BatchError:
    try:
        return open_file(raw)
    except BatchError as error:
        return error
