"""Chores between cards: seal what is due, take in receipts and signed files from the office.

The card process alone verifies what came down; what does not verify changes nothing and is shown.
"""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path
from typing import Any

from firmware.authorize.stoplist import StopList
from firmware.authorize.unit import Unit
from firmware.clock import TRUST_OFFICE
from firmware.journal import batch, spool
from firmware.journal import record as rec
from firmware.journal.receipt import Receipt, ReceiptError, accept_receipt
from firmware.journal.signedfile import SignedFile, SignedFileError, signed_file
from firmware.outcome import outcome

log = logging.getLogger(__name__)

STOP_LIST = "stoplist"
APPLIED = "applied"
SCRUB_RECORDS = 64
REST_S = 2.0
"""Riders reach the disk and the log is moved this long after the last service."""
CLOCK_STEP_MS = 2000
"""An office time further off than this is journaled as CLOCK."""


class Inbox:
    def __init__(self, unit: Unit):
        self._unit = unit
        self._data_dir = unit.board.unit.data_dir
        self._touched = unit.monotonic()
        self._is_settled = False
        self._refused: set[bytes] = set()  # digests of files already complained of
        spool.make_folders(self._data_dir)
        (self._data_dir / APPLIED).mkdir(exist_ok=True)

    def touch(self) -> None:
        """A service has just ended."""
        self._touched = self._unit.monotonic()
        self._is_settled = False

    # -- going up --------------------------------------------------------------------------------

    def seal_if_due(self) -> None:
        """After `seal_after_s` without a service: a batch of everything not sealed yet."""
        quiet_s = self._unit.monotonic() - self._touched
        if quiet_s >= REST_S and not self._is_settled:
            self._unit.journal.checkpoint()
            self._is_settled = True
        self._unit.journal.scrub(SCRUB_RECORDS)
        if quiet_s < self._unit.board.uplink.seal_after_s:
            return
        while batch.seal(self._unit.journal, self._unit.board.uplink.batch_records) is not None:
            pass
        batch.put_out(self._unit.journal)

    # -- coming down -----------------------------------------------------------------------------

    def collect(self) -> None:
        """Receipts in up/ and signed files in down/."""
        for number, path in spool.receipts(self._data_dir):
            # A batch that is out no more has its receipt: an old one must not set the clock again.
            if spool.batch_path(self._data_dir, number).exists():
                self._take_receipt(path)
        self.load_stop_list()

    def _take_receipt(self, path: Path) -> None:
        raw = _read(path)
        key = self._unit.board.office.public_key
        if raw is None or key is None or self._was_refused(raw):
            return
        try:
            receipt = accept_receipt(self._unit.journal, raw, key)
        except ReceiptError as error:
            self._refuse(raw, "RECEIPT_REFUSED", f"{path.name}: {error}")
            return
        self._set_clock(receipt)

    def _set_clock(self, receipt: Receipt) -> None:
        before = self._unit.clock.now()
        if receipt.time_ms < before.epoch_ms and before.trust == TRUST_OFFICE:
            return  # it was longer on its way than the one before
        self._unit.clock.set_office_time(receipt.time_ms)
        if abs(receipt.time_ms - before.epoch_ms) > CLOCK_STEP_MS:
            times = {
                rec.KEY_OLD_TIME: max(before.epoch_ms, 0),
                rec.KEY_NEW_TIME: receipt.time_ms,
            }
            self._unit.journal.append(rec.KIND_CLOCK, times)

    # -- the stop list ---------------------------------------------------------------------------

    def load_stop_list(self) -> None:
        """The newest of: the file named in board.toml, the one that came down, the one in force.

        A list that was in force and is nowhere to be found any more, or a file named in board.toml
        that does not verify, stops payments until a good one comes.
        """
        unit = self._unit
        key = unit.board.office.public_key
        if key is None:
            return
        own = self._data_dir / APPLIED / f"{STOP_LIST}.cose"
        named = unit.board.stop_list.file
        sources = (own, spool.signed_file_path(self._data_dir, STOP_LIST), named)
        found = [each for path in sources if path and (each := self._verified(path, key))]
        signed = max(found, key=lambda each: each.number, default=None)
        applied = unit.journal.applied(STOP_LIST)
        if signed is None:
            if applied or named is not None:
                self._stop_payments("STOP_LIST_REFUSED")
            return
        if signed.number < applied:
            self._stop_payments("NEWER_STOP_LIST_HELD")
            return
        if isinstance(unit.stop_list, StopList) and unit.stop_list.number == signed.number:
            return
        self._put_in_force(signed, own, is_new=signed.number > applied)

    def _put_in_force(self, signed: SignedFile, own: Path, is_new: bool) -> None:
        try:
            stop_list = StopList(signed.number, signed.body)
        except ValueError as error:
            self._refuse(signed.raw, "STOP_LIST_REFUSED", str(error))
            return
        if is_new:
            spool.write_atomic(own, signed.raw)
            self._unit.journal.append(
                rec.KIND_APPLIED,
                {
                    rec.KEY_WHAT: STOP_LIST,
                    rec.KEY_DIGEST: signed.digest,
                    rec.KEY_LAST: signed.number,
                },
            )
        self._unit.stop_list = stop_list

    def _verified(self, path: Path, key: bytes) -> SignedFile | None:
        raw = _read(path)
        if raw is None or self._was_refused(raw):
            return None
        try:
            signed = signed_file(raw, key)
        except SignedFileError as error:
            self._refuse(raw, "STOP_LIST_REFUSED", f"{path.name}: {error}")
            return None
        return signed if signed.what == STOP_LIST else None

    def _stop_payments(self, name: str) -> None:
        if self._unit.stop_list != outcome(name):
            self._unit.stop_list = outcome(name)
            self._unit.show(name)

    # -- what was refused ------------------------------------------------------------------------

    def _was_refused(self, raw: bytes) -> bool:
        return hashlib.sha256(raw).digest() in self._refused

    def _refuse(self, raw: bytes, name: str, detail: str) -> None:
        """Shown and journaled once for each file."""
        self._refused.add(hashlib.sha256(raw).digest())
        log.warning("%s: %s", name, detail)
        self._unit.show(name)
        body = {
            rec.KEY_OPERATOR: "terminal",
            rec.KEY_DETAIL: detail[:200],
            rec.KEY_OUTCOME: outcome(name).number,
        }
        self._unit.journal.append(rec.KIND_SERVICE, body)

    def status(self) -> dict[str, Any]:
        """Batches waiting for their receipt."""
        return {"batches_out": len(spool.batches(self._data_dir))}


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
