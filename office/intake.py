"""One batch file into the store, or into refused/: nothing that came is thrown away."""

from __future__ import annotations

import json
from typing import NamedTuple

from firmware.journal import merkle
from firmware.journal.batch import BatchContents, parse_batch
from firmware.journal.kinds import (
    KEY_CARD_ID,
    KEY_INTENT,
    KEY_PURCHASE_SERIAL,
    KIND_DONE,
    KIND_INTENT,
)
from firmware.journal.receipt import make_receipt, read_receipt
from firmware.journal.record import Record, digest_of
from firmware.journal.spool import write_atomic
from firmware.journal.statement import BatchError, Statement
from office import chain
from office.errors import ROWS, OfficeError, Refused
from office.folder import Folder
from office.store import Store
from office.tree import Tree


class Duplicate(NamedTuple):
    """Two DONE records of the same purchase of the same card."""

    unit: str
    done: int
    other_unit: str
    other_done: int


class Taken(NamedTuple):
    """receipt: what the unit gets.  is_new: False for a batch that came again, byte for byte."""

    records: int
    receipt: bytes
    is_new: bool
    duplicates: list[Duplicate]


def take_in(folder: Folder, unit: str, number: int, raw: bytes, now_ms: int) -> Taken:
    """Verify batch `number` of `unit` and store it in one transaction, its receipt with it.

    The receipt may be sent once this has returned.  The same bytes again give the same receipt.
    Raises Refused, the file then lies in refused/; OfficeError 909 stored nothing.
    """
    try:
        with folder.store.transaction():
            return _take_in(folder, unit, number, raw, now_ms)
    except Refused as refusal:
        _keep_aside(folder, unit, number, raw, refusal, now_ms)
        raise


def _take_in(folder: Folder, unit: str, number: int, raw: bytes, now_ms: int) -> Taken:
    store = folder.store
    row = store.batch(unit, number)
    if row is not None and row.file_digest == digest_of(raw):
        held = store.rows("SELECT 1 FROM records WHERE unit = ? AND batch = ?", unit, number)
        return Taken(len(held), row.receipt, False, [])
    contents = _verified(store, unit, number, raw)
    statement = contents.statement
    if row is not None:
        if row.header != statement.raw:
            raise Refused(805, f"batch {number} of {unit}")
        return Taken(len(contents.records), row.receipt, False, [])
    _check_neighbours(store, contents)
    receipt = _receipt(folder, statement, now_ms)
    store.write(
        "INSERT INTO batches VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        *(unit, number, statement.first, statement.last, statement.raw),
        *(digest_of(raw), receipt, now_ms),
    )
    for record in contents.records:
        _insert(store, number, record)
    return Taken(len(contents.records), receipt, True, _duplicates(store, contents))


def _receipt(folder: Folder, statement: Statement, now_ms: int) -> bytes:
    """One more leaf in the tree, and the receipt for it."""
    store = folder.store
    tree = Tree(store.tree, store.tree.size())
    index = tree.append(merkle.leaf(statement.raw))
    before = store.row(
        "SELECT receipt FROM batches WHERE unit = ? ORDER BY rowid DESC LIMIT 1", statement.unit
    )
    first = None if before is None else read_receipt(before[0]).size
    return make_receipt(
        unit=statement.unit,
        batch=statement.batch,
        time_ms=now_ms,
        issuer=store.name(),
        signer=folder.signer,
        root=tree.root(),
        size=tree.size,
        index=index,
        path=tree.inclusion(index),
        consistency=None if first is None else (first, tree.consistency(first)),
    )


def _verified(store: Store, unit: str, number: int, raw: bytes) -> BatchContents:
    keys = store.keys(unit)
    if not keys:
        raise Refused(801, unit)
    try:
        contents = parse_batch(raw, *keys)
    except BatchError as error:
        raise Refused(802, str(error)) from None
    if contents.statement.unit != unit:
        raise Refused(806, f"{contents.statement.unit} instead of {unit}")
    if contents.statement.batch != number:
        raise Refused(804, f"announced as batch {number}, it is batch {contents.statement.batch}")
    return contents


def _check_neighbours(store: Store, contents: BatchContents) -> None:
    statement = contents.statement
    if statement.batch == 1:
        chain.begins(contents)
    below, above = store.neighbours(statement.unit, statement.batch)
    try:
        if below is not None:
            chain.follows(chain.stored(store, below), contents)
        if above is not None:
            chain.follows(contents, chain.stored(store, above))
    except BatchError as error:
        raise OfficeError(909, f"what is stored no longer verifies: {error}") from None


def _insert(store: Store, batch: int, record: Record) -> None:
    store.write(
        "INSERT INTO records VALUES (?, ?, ?, ?, ?)",
        *(record.unit, record.number, batch, record.raw, record.time_ms),
    )
    if record.kind == KIND_INTENT:
        store.write(
            "INSERT INTO payments VALUES (?1, ?2, ?3, ?4, NULL)"
            " ON CONFLICT (unit, intent) DO UPDATE SET card_id = ?3, purchase_serial = ?4",
            *(record.unit, record.number),
            *(record.body[KEY_CARD_ID], record.body[KEY_PURCHASE_SERIAL]),
        )
    elif record.kind == KIND_DONE:  # its INTENT may lie in a batch that is still to come
        store.write(
            "INSERT INTO payments VALUES (?1, ?2, NULL, NULL, ?3)"
            " ON CONFLICT (unit, intent) DO UPDATE SET done = ?3",
            *(record.unit, record.body[KEY_INTENT], record.number),
        )


def _duplicates(store: Store, contents: BatchContents) -> list[Duplicate]:
    """Purchases of this batch that some unit has already reported as DONE."""
    statement = contents.statement
    rows = store.rows(
        "SELECT a.unit, a.done, b.unit, b.done FROM payments a JOIN payments b"
        " ON a.card_id = b.card_id AND a.purchase_serial = b.purchase_serial"
        " WHERE a.unit = ?1 AND a.done IS NOT NULL AND b.done IS NOT NULL"
        " AND (a.intent BETWEEN ?2 AND ?3 OR a.done BETWEEN ?2 AND ?3)"
        " AND NOT (a.unit = b.unit AND a.intent = b.intent)",
        *(statement.unit, statement.first, statement.last),
    )
    return [Duplicate(*row) for row in rows]


def _keep_aside(
    folder: Folder, unit: str, number: int, raw: bytes, refusal: Refused, now_ms: int
) -> None:
    """The file and why, under a name made of its own digest: twice the same file is one."""
    name = f"{number:08d}-{digest_of(raw).hex()[:16]}"
    reason = {
        "error": refusal.number,
        "cause": ROWS[refusal.number].cause_en,
        "detail": refusal.detail,
        "unit": unit,
        "batch": number,
        "time_ms": now_ms,
    }
    try:
        write_atomic(folder.refused / f"{name}.batch", raw)
        text = json.dumps(reason, ensure_ascii=False, indent=1)
        write_atomic(folder.refused / f"{name}.json", text.encode())
    except OSError as error:
        raise OfficeError(906, f"{folder.refused}: {error.strerror}") from None
