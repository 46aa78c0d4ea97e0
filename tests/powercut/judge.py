"""What must hold when a terminal starts again after a power cut, whatever the cut left.

    acknowledged  every record, batch and receipt that was told to be safe is there, byte for byte
    nothing more  what else is there is what the terminal was writing, in the same bytes
    once          no number twice, and no order begun twice unless VOID stands between
    whole         no damage found, no rebuilding, chain without a gap, no half batch in out/
    open          exactly the INTENTs without an end are listed open
    at once       the next payment is taken, with the next number
    sent          the office's receipts, each continuing its tree, are accepted to the last batch
    sealed        what only the office may read, it can
    let go        what was pruned is gone, and its orders cannot be paid again

Records are read with sqlite3 alone.  All batches and their receipts are left in a folder for
the verifier, which shares no code with the firmware.
"""

from __future__ import annotations

import copy
import json
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from firmware.journal import batch, cose, kinds, sealed, spool
from firmware.journal.lifecycle import INTENT_KINDS, LifecycleError
from firmware.journal.receipt import accept_receipt
from firmware.journal.record import NO_PREVIOUS, Record, digest_of
from firmware.journal.sealed import open_sealed
from firmware.journal.store import Journal
from firmware.journal.view import read_record
from tests.journal_maker import TEST_OFFICE_KEY, UNIT, done_body, intent_body, start_body
from tests.powercut.unit import (
    OFFICE_OPENING,
    PERSONAL,
    digest_hex,
    office_receipts,
    open_unit,
)

LATER = 3000  # days
NEXT_ORDER = "the next order"
ENDS = {kinds.KIND_DONE, kinds.KIND_VOID, kinds.KIND_SUSPECT}
LOAD_ENDS = {kinds.KIND_LOAD_DONE, kinds.KIND_LOAD_VOID}


class WrongError(Exception):
    """Something that must hold does not."""


@dataclass
class Known:
    """The sum of some notes.

    records: number -> digest; sealed, out: batch -> digest; office: batch -> file; paid: number
    of the INTENT -> order; pruned: name of a pruning -> numbers that went.
    """

    records: dict[int, str] = field(default_factory=dict)
    sealed: dict[int, str] = field(default_factory=dict)
    out: dict[int, str] = field(default_factory=dict)
    office: dict[int, bytes] = field(default_factory=dict)
    receipted: set[int] = field(default_factory=set)
    paid: dict[int, str] = field(default_factory=dict)
    pruning: set[str] = field(default_factory=set)
    pruned: dict[str, list[int]] = field(default_factory=dict)

    def and_then(self, notes: Iterable[dict[str, Any]]) -> Known:
        """What is known after these notes, too; a number that was used again is the later one."""
        known = copy.deepcopy(self)
        for said in notes:
            known._add(**said)
        return known

    def _add(self, **said: Any) -> None:
        for name, what in said.items():
            match name:
                case "records" | "paid":
                    getattr(self, name).update(what)
                case "sealed" | "pruned":
                    getattr(self, name).update([what])
                case "out":
                    self.out.update([what])
                    self.sealed.update([what])
                case "receipting":
                    self.office[what[0]] = bytes.fromhex(what[1])
                case _:
                    getattr(self, name).add(what)

    def gone(self, prunings: Iterable[str]) -> set[int]:
        """The numbers that went in those."""
        return {number for name in prunings for number in self.pruned[name]}

    @classmethod
    def of(cls, folder: Path) -> Known:
        """Of a terminal that was stopped well and has sealed nothing."""
        return cls({number: digest_hex(raw) for number, raw in _raws(folder).items()})


def judge(folder: Path, safe: Known, made: Known, batches: Path) -> None:
    """folder: of the terminal, as the cut left it.  safe: what was noted before the cut; made: in
    the whole sequence.  batches: where to leave the batches.  Raises WrongError, or what failed."""
    _check_out(folder, safe, made)
    journal = open_unit(folder, LATER)
    try:
        batch.put_out(journal, check=True)
        _check_out(folder, safe, made)
        raws = _raws(folder)
        may_be_gone = made.gone(safe.pruning)
        _check_acknowledged(raws, safe, made, may_be_gone)
        records = _check_whole(folder, journal, raws, may_be_gone)
        _check_payments(journal, records)
        _check_sealed(records, may_be_gone)
        _check_paid_once(journal, raws, safe)
        _check_next(journal, max(raws, default=0))
        _check_receipts(folder, journal, safe)
        _leave_batches(journal, safe, batches)
        _leave_keys(_raws(folder), batches)
    finally:
        journal.close()


def _must(holds: bool, words: str) -> None:
    if not holds:
        raise WrongError(words)


def _check_out(folder: Path, safe: Known, made: Known) -> None:
    """What the uplink may be sending at this moment: whole batches, and none is missing."""
    there = {
        number: digest_hex(path.read_bytes())
        for number, path in (spool.batches(folder) if (folder / "out").exists() else [])
    }
    for number, digest in there.items():
        _must(made.sealed.get(number) == digest, f"out/ holds other bytes of batch {number}")
        _must(number not in safe.receipted, f"batch {number} has its receipt and is in out/")
    for number in safe.out:
        _must(number in there or number in safe.office, f"batch {number} is not in out/")


def _raws(folder: Path) -> dict[int, bytes]:
    with closing(sqlite3.connect(f"file:{folder}/journal.db?mode=ro", uri=True)) as connection:
        return dict(connection.execute("SELECT number, raw FROM records ORDER BY number"))


def _check_acknowledged(
    raws: dict[int, bytes], safe: Known, made: Known, may_be_gone: set[int]
) -> None:
    found = {number: digest_hex(raw) for number, raw in raws.items()}
    for number, digest in safe.records.items():
        _must(number in found or number in may_be_gone, f"record {number} is lost")
        _must(found.get(number, digest) == digest, f"record {number} is another")
    for number, digest in found.items():
        _must(made.records.get(number) == digest, f"record {number} was never made")
    _must(not found.keys() & safe.gone(safe.pruned), "a record that went is back")


def _check_whole(
    folder: Path, journal: Journal, raws: dict[int, bytes], may_be_gone: set[int]
) -> list[Record]:
    """The records, signatures and chain verified."""
    _must(not list(folder.glob("*.damaged-*")), "the database was rebuilt")
    _must(journal.damaged_ranges() == [], "a record was found damaged")
    missing = set(range(1, max(raws, default=0))) - raws.keys()
    _must(missing <= may_be_gone, "the numbers have a gap")
    records = [read_record(*row, journal.unit, journal.keys) for row in raws.items()]
    digests = {0: NO_PREVIOUS} | {each.number: digest_of(each.raw) for each in records}
    for each in records:
        before = digests.get(each.number - 1, each.previous)
        _must(each.previous == before, f"record {each.number} does not follow the one before")
    return records


def _check_payments(journal: Journal, records: list[Record]) -> None:
    begun: dict[str, int] = {}
    ends: dict[int | None, int] = {}
    for each in records:
        if each.kind in INTENT_KINDS:
            order = each.body[kinds.KEY_ORDER_NO]
            earlier = begun.get(order)
            is_void = ends.get(earlier) in (kinds.KIND_VOID, kinds.KIND_LOAD_VOID)
            _must(earlier is None or is_void, f"order {order} was begun twice")
            begun[order] = each.number
        elif each.kind in ENDS | LOAD_ENDS:
            intent = each.body[kinds.KEY_INTENT]
            _must(intent not in ends, f"INTENT {intent} ended twice")
            ends[intent] = each.kind
    for kind, listed in (
        (kinds.KIND_INTENT, journal.open_intents()),
        (kinds.KIND_LOAD_INTENT, journal.open_loads()),
    ):
        open_ones = {each.number for each in records if each.kind == kind} - ends.keys()
        _must({each.number for each in listed} == open_ones, "the wrong INTENTs are listed open")


def _check_sealed(records: list[Record], may_be_gone: set[int]) -> None:
    """The office can open what was sealed for it: the day key was on the disk before its use."""
    keys = [each for each in records if each.kind == kinds.KIND_DAY_KEY]
    wrapped = {each.body[kinds.KEY_KEY_NO]: each.body[kinds.KEY_WRAPPED] for each in keys}
    _must(len(wrapped) == len(keys), "a day key's number came twice")
    for each in records:
        key_no = each.body.get(kinds.KEY_KEY_NO)
        if each.kind != kinds.KIND_SERVICE or (key_no not in wrapped and may_be_gone):
            continue
        _must(key_no in wrapped, f"record {each.number} is sealed under a key that nobody has")
        day_key = sealed.unwrap(wrapped[key_no], OFFICE_OPENING, each.unit)
        opened = open_sealed(each.body[kinds.KEY_SEALED], day_key, each.unit, each.number)
        _must(opened == PERSONAL, f"record {each.number} holds other values")


def _check_paid_once(journal: Journal, raws: dict[int, bytes], safe: Known) -> None:
    """Orders that were paid, those whose records went among them, cannot be paid again."""
    for number, order in safe.paid.items():
        if number in raws:
            continue
        try:
            journal.append(kinds.KIND_INTENT, intent_body(order))
        except LifecycleError:
            continue
        raise WrongError(f"order {order}, paid in record {number}, could be paid again")


def _check_next(journal: Journal, count: int) -> None:
    start = journal.append(kinds.KIND_START, start_body(journal.signer.public_key))
    _must(start.number == count + 1, f"the next number is {start.number}, not {count + 1}")
    intent = journal.append(kinds.KIND_INTENT, intent_body(NEXT_ORDER))
    journal.append(kinds.KIND_DONE, done_body(intent.number))


def _check_receipts(folder: Path, journal: Journal, safe: Known) -> None:
    """What lies in up/ is taken, and then the office's receipts for all that still waits."""
    while batch.seal(journal) is not None:
        pass
    batch.put_out(journal)
    receipts = office_receipts(journal, safe.office)
    # As inbox.py does: a batch that is out no more has its receipt, and may have been let go since.
    there = [
        path.read_bytes()
        for number, path in spool.receipts(folder)
        if spool.batch_path(folder, number).exists()
    ]
    waiting = journal.rows("SELECT batch FROM batches WHERE receipt IS NULL ORDER BY batch")
    for raw in [*there, *(receipts[number] for (number,) in waiting)]:
        accept_receipt(journal, raw, TEST_OFFICE_KEY.public_key)
    _must(not spool.batches(folder), "out/ is not empty after the last receipt")


def _leave_batches(journal: Journal, safe: Known, batches: Path) -> None:
    """Every batch with its receipt: the whole chain for the verifier.

    The unit's own where it can still build them, else what the office has.
    """
    receipts = office_receipts(journal, safe.office)
    journal.write("UPDATE batches SET receipt = NULL")
    batch.put_out(journal)
    batches.mkdir(parents=True)
    for number, receipt in receipts.items():
        path = spool.batch_path(journal.data_dir, number)
        file = path.read_bytes() if path.exists() else safe.office.get(number)
        _must(file is not None, f"nobody has batch {number}")
        _must(safe.office.get(number, file) == file, f"batch {number} is not as it was sent")
        (batches / path.name).write_bytes(file)
        (batches / path.name).with_suffix(".receipt").write_bytes(receipt)


def _leave_keys(raws: dict[int, bytes], batches: Path) -> None:
    """Which key signs which records, as STARTs and KEY_CHANGEs say; how many records there were.

    Whether they say it rightly is the verifier's to find out, record by record.
    """
    payloads = {number: cose.decode(cose.peek1(raw).payload) for number, raw in raws.items()}
    named = {
        kind: [each[9][kinds.KEY_PUBLIC_KEY] for each in payloads.values() if each[6] == kind]
        for kind in (kinds.KIND_START, kinds.KIND_KEY_CHANGE)
    }
    first = next(key for key in named[kinds.KIND_START] if key not in named[kinds.KIND_KEY_CHANGE])
    rows = [{"algorithm": -8, "public_key": first.hex(), "first": 1, "last": None}]
    for number, payload in payloads.items():
        if payload[6] == kinds.KIND_KEY_CHANGE:
            rows[-1]["last"] = number
            body = payload[9]
            algorithm, coming = -body[kinds.KEY_SIGNING_ALGORITHM], body[kinds.KEY_PUBLIC_KEY]
            row = {"algorithm": algorithm, "public_key": coming.hex()}
            rows.append({**row, "first": number, "last": None})
    office = {"algorithm": -8, "public_key": TEST_OFFICE_KEY.public_key.hex()}
    keys = {"units": {UNIT: rows}, "office": [office]}
    (batches / "keys.json").write_text(json.dumps(keys))
    (batches / "count").write_text(str(max(raws)))
