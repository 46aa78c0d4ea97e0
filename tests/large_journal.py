"""A large journal quickly, for the bench: a million records, really signed and chained.

`python -m tests.large_journal FOLDER 100000` leaves FOLDER/journal.db with that many records (and
the device key that signed them), every batch but the newest ones receipted.  The rows are those the
journal would have written, without a commit for each; tests/test_large_journal.py scrubs one.
"""

from __future__ import annotations

import itertools
import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path

import cbor2

from firmware.journal import batch, cose, merkle, record, schema
from firmware.journal.devicekey import DeviceKey
from firmware.journal.kinds import KIND_DONE, KIND_INTENT, KIND_START, KIND_TOTALS
from firmware.journal.record import Record
from firmware.journal.statement import Statement, sign_statement
from firmware.journal.store import Journal
from tests.journal_maker import (
    START_MS,
    TEST_OFFICE_KEY,
    UNIT,
    clock,
    done_body,
    intent_body,
    open_journal,
    start_body,
    totals_body,
)
from tests.receipts import receipt_of

BATCH = 1000
CARDS = 5000
CHUNK = 12_000  # records to a transaction
_TRUST_RTC = 1


def make_large(folder: Path, count: int) -> None:
    """`count` records in FOLDER/journal.db, all batches but those of the newest 2,000 receipted."""
    folder.mkdir(parents=True, exist_ok=True)
    key = DeviceKey.load_or_create(folder / "device.key")
    began_ms = START_MS - count * 1000
    journal = open_journal(folder, signer=key, clock=clock(began_ms))
    first = journal.append(KIND_START, start_body(key.public_key))
    journal.checkpoint()
    journal._ceiling.reach(count)
    _fill(folder / "journal.db", _Maker(journal, first), count)
    journal.close()
    again = open_journal(folder, signer=key, clock=clock(START_MS))
    while batch.seal(again, BATCH):
        pass
    batch.put_out(again)
    again.close()


class _Maker:
    """Signs what follows the first record, one second apart."""

    def __init__(self, journal: Journal, first: Record):
        self._sign = journal.signer.sign
        self._key = {4: cose.key_id(journal.signer.public_key)}
        self._protected = cose.parts1(first.raw)[0]
        self._last = first
        self._day = journal.clock.day
        self.signer = journal.signer
        self.first = first

    def rows(self, count: int) -> Iterator[tuple[object, ...]]:
        """As schema.INSERT takes them; an INTENT has its last state at once."""
        bodies = itertools.islice(_morning(self._last.number + 1), count)
        for kind, body in bodies:
            made = self._build(kind, body)
            columns = list(schema.derived_columns(made, self))
            if kind == KIND_INTENT:
                columns[-1] = KIND_DONE
            yield made.number, made.raw, *columns

    def day(self, time_ms: int) -> int:
        """Of the clock: what schema.derived_columns asks for."""
        return self._day(time_ms)

    def _build(self, kind: int, body: dict[int, object]) -> Record:
        last = self._last
        time_ms = last.time_ms + 1000
        fields = (UNIT, last.number + 1, 1, time_ms, _TRUST_RTC, kind, 1, last.digest, body)
        payload = cbor2.dumps(dict(enumerate(fields, 1)))
        signature = self._sign(cose.to_be_signed(self._protected, payload))
        raw = b"\xd2" + cbor2.dumps([self._protected, self._key, payload, signature])
        self._last = Record(*fields, raw)
        return self._last


def _morning(number: int) -> Iterator[tuple[int, dict]]:
    """INTENT, DONE and TOTALS of one customer after the other; number: of the first INTENT."""
    for turn in itertools.count():
        yield KIND_INTENT, dict(sorted(intent_body(f"{turn:014d}", card=turn % CARDS).items()))
        yield KIND_DONE, dict(sorted(done_body(number).items()))
        yield KIND_TOTALS, dict(sorted(totals_body(number).items()))
        number += 3


def _fill(path: Path, maker: _Maker, count: int) -> None:
    """The rows and the receipted batches; nobody else has the file open for writing."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA synchronous = OFF")
    rows = maker.rows(count - 1)
    leaves = [merkle.leaf(maker.first.raw)]
    sealed: Statement | None = None
    while chunk := list(itertools.islice(rows, CHUNK)):
        connection.execute("BEGIN")
        connection.executemany(schema.INSERT, chunk)
        leaves += [merkle.leaf(raw) for _, raw, *_ in chunk]
        last = count - 2000 if len(chunk) < CHUNK else chunk[-1][0]
        while len(leaves) >= BATCH and (sealed.last if sealed else 0) + BATCH <= last:
            sealed = _sealed(maker, sealed, leaves[:BATCH])
            del leaves[:BATCH]
            receipt = receipt_of(sealed, TEST_OFFICE_KEY, sealed.time_ms)
            values = (sealed.batch, sealed.first, sealed.last, sealed.raw, receipt)
            connection.execute("INSERT INTO batches VALUES (?, ?, ?, ?, ?)", values)
        connection.execute("COMMIT")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    if sealed is not None:
        mark = ("tree_newest test office", sealed.batch)
        connection.execute("INSERT INTO counters VALUES (?, ?)", mark)
    connection.close()


def _sealed(maker: _Maker, before: Statement | None, leaves: list[bytes]) -> Statement:
    number, first = (before.batch + 1, before.last + 1) if before else (1, 1)
    return sign_statement(
        maker.signer,
        unit=UNIT,
        batch=number,
        first=first,
        last=first + BATCH - 1,
        root=merkle.root(leaves),
        previous=before.digest if before else record.NO_PREVIOUS,
        time=maker.first.time_ms + (first + BATCH) * 1000,
        damaged=[],
    )


if __name__ == "__main__":
    make_large(Path(sys.argv[1]), int(sys.argv[2]))
