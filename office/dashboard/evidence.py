"""A batch and its records, and one record with all that proves it, as bytes: nothing is judged."""

from __future__ import annotations

from typing import Any

from firmware.journal import kinds as rec
from firmware.journal import merkle
from firmware.journal.batch import take_apart
from firmware.journal.statement import BatchError, claimed_statement
from office.dashboard.views import Absent, Json
from office.folder import Folder
from office.keys import keys_of
from office.store import BatchRow, Store

RECORDS = 1200  # of one batch; it covers at most 1000 and those before the end of a damaged range

_FIELDS = ("number", "kind", "time_ms", "boot", "intent", "outcome",
           "account_fen", "self_fen", "pooled_fen")  # fmt: skip


class Evidence:
    """Of one folder, in the thread that made it.  Its methods raise OfficeError, Absent."""

    def __init__(self, folder: Folder):
        self._folder = folder
        self._store: Store = folder.store

    def batch(self, unit: str, batch: int) -> Json:
        """One batch with its records; of one that is not in the books only the numbers."""
        row = self._store.batch(unit, batch)
        if row is None:
            raise Absent(f"{unit}: batch {batch}")
        times = self._store.row(
            "SELECT sealed_ms, received_ms FROM batches WHERE unit = ? AND batch = ?", unit, batch
        )
        sealed_ms, received_ms = times or (None, None)
        return {
            "unit": unit, "batch": batch, "first": row.first, "last": row.last,
            "sealed_ms": sealed_ms, "received_ms": received_ms,
            "digest": row.digest.hex(), "previous": row.previous.hex(),
            "tree": row.tree, "leaf": row.leaf, "quarantined": row.quarantined,
            "records": self._records(row),
        }  # fmt: skip

    def _records(self, row: BatchRow) -> list[dict[str, Any]]:
        if row.quarantined is not None:
            return [{"number": number} for number in self._store.raws(row.unit, row.batch)]
        sql = (
            "SELECT r.number, r.kind, r.time_ms, r.boot, r.intent, r.outcome, p.account_fen,"
            " p.self_fen, p.pooled_fen FROM records r LEFT JOIN payments p ON p.unit = r.unit"
            " AND p.intent = CASE WHEN r.kind = ? THEN r.number ELSE r.intent END"
            " WHERE r.unit = ? AND r.batch = ? AND r.number BETWEEN ? AND ?"
            " ORDER BY r.number LIMIT ?"
        )
        found = self._store.rows(
            sql, rec.KIND_INTENT, row.unit, row.batch, row.first, row.last, RECORDS
        )
        return [dict(zip(_FIELDS, each, strict=True)) for each in found]

    def record(self, unit: str, number: int) -> Json:
        """Bytes in hex: the record, the one before it, the statement with the path that leads to
        its root, the receipt; and the keys this office knows."""
        row, raws, statement = self._find(unit, number)
        numbers = list(raws)
        at = numbers.index(number)
        leaves = [merkle.leaf(raw) for raw in raws.values()]
        before = self._store.row(
            "SELECT max(number) FROM records WHERE unit = ? AND number < ?", unit, number
        )
        after = self._store.row(
            "SELECT min(number) FROM records WHERE unit = ? AND number > ?", unit, number
        )
        previous = raws.get(number - 1) or self._store.record(unit, number - 1)
        self._folder.follow_key()
        signer = self._folder.signer
        return {
            "unit": unit, "number": number, "batch": row.batch, "quarantined": row.quarantined,
            "raw": raws[number].hex(), "before": previous.hex() if previous else None,
            "statement": statement.hex(), "place": at,
            "path": [each.hex() for each in merkle.inclusion(leaves, at)],
            "receipt": None if row.receipt is None else row.receipt.hex(),
            "keys": [
                {"algorithm": key.algorithm, "public_key": key.public_key.hex(),
                 "first": key.first, "last": key.last}
                for key in keys_of(self._store, unit)
            ],
            "office": [
                {"algorithm": signer.algorithm, "public_key": each.hex()}
                for each in (*self._folder.former_keys(), signer.public_key)
            ],
            "neighbours": [before[0] if before else None, after[0] if after else None],
        }  # fmt: skip

    def _find(self, unit: str, number: int) -> tuple[BatchRow, dict[int, bytes], bytes]:
        """The batch that holds that record, all records of it, and its statement."""
        for row in self._store.overlapping(unit, number, number):
            try:
                statement, raws, _ = take_apart(self._store.file(unit, row.batch) or b"")
                numbers = claimed_statement(statement)[0].numbers()
            except BatchError:
                continue
            held = dict(zip(numbers, raws, strict=False))
            if number in held:
                return row, held, statement
        raise Absent(f"{unit}: record {number}")
