"""What must hold when a terminal starts again after a power cut, whatever the cut left.

    acknowledged  every record, batch and receipt that was told to be safe is there, byte for byte
    nothing more  what else is there is what the terminal was writing, in the same bytes
    once          no number twice, and no order begun twice unless VOID stands between
    whole         no damage found, no rebuilding, chain without a gap, no half batch in out/
    open          exactly the INTENTs without an end are listed open
    at once       the next payment is taken, with the next number
    sent          the office's receipts, each continuing its tree, are accepted to the last batch

Records are read with sqlite3 alone.  All batches and their receipts are left in a folder for
the verifier, which shares no code with the firmware.
"""

from __future__ import annotations

import copy
import json
import shutil
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from firmware.journal import batch, cose, kinds, spool
from firmware.journal.lifecycle import INTENT_KINDS
from firmware.journal.receipt import accept_receipt
from firmware.journal.record import NO_PREVIOUS, Record, digest_of
from firmware.journal.store import Journal
from firmware.journal.view import read_record
from tests.journal_maker import TEST_OFFICE_KEY, UNIT, done_body, intent_body, start_body
from tests.powercut.sequence import digest_hex, office_receipts, open_unit

LATER = 3000  # days
NEXT_ORDER = "the next order"
ENDS = {kinds.KIND_DONE, kinds.KIND_VOID, kinds.KIND_SUSPECT}
LOAD_ENDS = {kinds.KIND_LOAD_DONE, kinds.KIND_LOAD_VOID}


class WrongError(Exception):
    """Something that must hold does not."""


@dataclass
class Known:
    """The sum of some notes.  records: number -> digest; sealed, out: batch -> digest."""

    records: dict[int, str] = field(default_factory=dict)
    sealed: dict[int, str] = field(default_factory=dict)
    out: dict[int, str] = field(default_factory=dict)
    receipting: set[int] = field(default_factory=set)
    receipted: set[int] = field(default_factory=set)

    def and_then(self, notes: Iterable[dict[str, Any]]) -> Known:
        """What is known after these notes, too; a number that was used again is the later one."""
        known = copy.deepcopy(self)
        for said in notes:
            known.records |= dict(said.get("records", ()))
            known.out.update([said["out"]] if "out" in said else ())
            known.sealed.update(said[name] for name in ("sealed", "out") if name in said)
            for name in ("receipting", "receipted"):
                if name in said:
                    getattr(known, name).add(said[name])
        return known

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
        _check_acknowledged(raws, safe, made)
        records = _check_whole(folder, journal, raws)
        _check_payments(journal, records)
        _check_next(journal, len(records))
        _check_receipts(folder, journal)
        _leave_batches(journal, batches)
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
        _must(number in there or number in safe.receipting, f"batch {number} is not in out/")


def _raws(folder: Path) -> dict[int, bytes]:
    with closing(sqlite3.connect(f"file:{folder}/journal.db?mode=ro", uri=True)) as connection:
        return dict(connection.execute("SELECT number, raw FROM records ORDER BY number"))


def _check_acknowledged(raws: dict[int, bytes], safe: Known, made: Known) -> None:
    found = {number: digest_hex(raw) for number, raw in raws.items()}
    for number, digest in safe.records.items():
        _must(number in found, f"record {number} is lost")
        _must(found[number] == digest, f"record {number} is another")
    for number, digest in found.items():
        _must(made.records.get(number) == digest, f"record {number} was never made")


def _check_whole(folder: Path, journal: Journal, raws: dict[int, bytes]) -> list[Record]:
    """The records, signatures and chain verified."""
    _must(not list(folder.glob("*.damaged-*")), "the database was rebuilt")
    _must(journal.damaged_ranges() == [], "a record was found damaged")
    _must(list(raws) == list(range(1, len(raws) + 1)), "the numbers have a gap")
    records = [read_record(*row, journal.unit, journal.keys) for row in raws.items()]
    previous = NO_PREVIOUS
    for each in records:
        _must(each.previous == previous, f"record {each.number} does not follow the one before")
        previous = digest_of(each.raw)
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


def _check_next(journal: Journal, count: int) -> None:
    start = journal.append(kinds.KIND_START, start_body(journal.signer.public_key))
    _must(start.number == count + 1, f"the next number is {start.number}, not {count + 1}")
    intent = journal.append(kinds.KIND_INTENT, intent_body(NEXT_ORDER))
    journal.append(kinds.KIND_DONE, done_body(intent.number))


def _check_receipts(folder: Path, journal: Journal) -> None:
    """What lies in up/ is taken, and then the office's receipts for all that still waits."""
    while batch.seal(journal) is not None:
        pass
    batch.put_out(journal)
    receipts = office_receipts(journal)
    there = [path.read_bytes() for _, path in spool.receipts(folder)]
    waiting = journal.rows("SELECT batch FROM batches WHERE receipt IS NULL ORDER BY batch")
    for raw in [*there, *(receipts[number] for (number,) in waiting)]:
        accept_receipt(journal, raw, TEST_OFFICE_KEY.public_key)
    _must(not spool.batches(folder), "out/ is not empty after the last receipt")


def _leave_batches(journal: Journal, batches: Path) -> None:
    """Every batch with its receipt: the whole chain for the verifier."""
    journal.write("UPDATE batches SET receipt = NULL")
    batch.put_out(journal)
    batches.mkdir(parents=True)
    receipts = office_receipts(journal)
    out = spool.batches(journal.data_dir)
    _must([number for number, _ in out] == list(receipts), "a batch cannot be built again")
    for number, path in out:
        shutil.copyfile(path, batches / path.name)
        (batches / path.name).with_suffix(".receipt").write_bytes(receipts[number])


def _leave_keys(raws: dict[int, bytes], batches: Path) -> None:
    """Which key signs which records, as the first START and each KEY_CHANGE say; how many records.

    Whether they say it rightly is the verifier's to find out, record by record.
    """
    payloads = {number: cose.decode(cose.peek1(raw).payload) for number, raw in raws.items()}
    first = payloads[1][9][kinds.KEY_PUBLIC_KEY]
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
    (batches / "count").write_text(str(len(raws)))
