"""Reading the journal, on a connection of its own that cannot write.

Every record is verified as it is read.  One that does not verify raises JournalDamagedError where
its absence would be believed (by_order, outcome_of, get) and is left out of lists.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from firmware.journal import record, schema
from firmware.journal.kinds import (
    KEY_ALGORITHM,
    KEY_EF06,
    KEY_FIRST,
    KEY_LAST,
    KEY_SPECIAL,
    KEY_TERMINAL_SERIAL,
    KEY_WHAT,
    KIND_APPLIED,
    KIND_DAMAGE,
)
from firmware.journal.lifecycle import STATE_NONE
from firmware.journal.prune import order_counter
from firmware.journal.record import Record, RecordError
from firmware.journal.schema import (
    JournalCorruptError,
    JournalDamagedError,
    JournalError,
    OrderSettledError,
)

MAX_LIMIT = 1000
_TOTALLED = (KEY_EF06, KEY_SPECIAL)

# (number, raw, damaged)
Row = tuple[int, bytes, int]


def read_record(
    number: int,
    raw: bytes,
    unit: str,
    keys: Mapping[bytes, bytes],
    ends: Mapping[bytes, int] | None = None,
) -> Record:
    """The record of a row; keys, ends: as View has them.  Raises RecordError."""
    found = record.read(raw, keys, ends)
    if (found.unit, found.number) != (unit, number):
        raise RecordError(f"it is record {found.number} of unit {found.unit}")
    return found


class View:
    """What can be asked of a journal; safe from any thread.

    keys: key id -> public key of every device key this unit had.
    ends: key id -> last record number, of each that was changed (rotation.py).
    """

    def __init__(self, path: Path, unit: str):
        self.path = path
        self.unit = unit
        self._reading = threading.Lock()
        self._reader = schema.connect_to_read(path)
        self.is_corrupt = False
        self.found_damaged: set[int] = set()  # for the next scrub
        self.keys: dict[bytes, bytes] = dict(self.rows("SELECT key_id, public_key FROM keys"))
        ended = self.rows("SELECT substr(name, 6), value FROM counters WHERE name LIKE 'ends %'")
        self.ends: dict[bytes, int] = {bytes.fromhex(name): number for name, number in ended}

    def rows(self, sql: str, *values: object, **named: object) -> list[Any]:
        """All rows of one query; raises JournalError."""
        try:
            with self._reading:
                return self._reader.execute(sql, named or values).fetchall()
        except sqlite3.Error as error:
            raise self._failure(error) from error

    def _failure(self, error: sqlite3.Error) -> JournalError:
        found = schema.failure(error)
        self.is_corrupt |= isinstance(found, JournalCorruptError)
        return found

    def row(self, sql: str, *values: object, **named: object) -> Any:
        """The first row, or None; raises JournalError."""
        found = self.rows(sql, *values, **named)
        return found[0] if found else None

    def _record(self, row: Row) -> Record:
        number, raw, damaged = row
        if damaged:
            raise JournalDamagedError(number, "quarantined")
        try:
            return read_record(number, raw, self.unit, self.keys, self.ends)
        except RecordError as error:
            self.found_damaged.add(number)
            raise JournalDamagedError(number, str(error)) from None

    def _sound(self, rows: list[Row]) -> list[Record]:
        found = []
        for row in rows:
            try:
                found.append(self._record(row))
            except JournalDamagedError:
                continue
        return found

    def get(self, number: int) -> Record | None:
        """The record of that number; raises JournalDamagedError."""
        row = self.row("SELECT number, raw, damaged FROM records WHERE number = ?", number)
        return None if row is None else self._record(row)

    def records(self, after: int = 0, limit: int = 100) -> list[Record]:
        """The next sound records that are on the disk, oldest first."""
        return self._sound(
            self.rows(
                "SELECT number, raw, damaged FROM records WHERE number > ? ORDER BY number LIMIT ?",
                after,
                min(limit, MAX_LIMIT),
            )
        )

    def open_intents(self) -> list[Record]:
        """Sound INTENTs whose money is not accounted for yet, those UNCERTAIN included."""
        return self._sound(
            self.rows(
                "SELECT number, raw, damaged FROM records WHERE state IN (1, 5) ORDER BY number"
            )
        )

    def open_loads(self) -> list[Record]:
        """As `open_intents`, of LOAD_INTENTs."""
        return self._sound(
            self.rows(
                "SELECT number, raw, damaged FROM records WHERE kind = 9"
                f" AND {schema.LOAD_STATE} IN (9, 12) ORDER BY number"
            )
        )

    def payment_state(self, intent: int) -> int:
        """The kind of the newest outcome, of the INTENT while there is none, 0 for no INTENT."""
        row = self.row(
            f"SELECT iif(kind = 9, {schema.LOAD_STATE}, state) FROM records WHERE number = ?",
            intent,
        )
        return STATE_NONE if row is None or row[0] is None else int(row[0])

    def outcome_of(self, intent: int) -> Record | None:
        """The newest DONE, VOID, SUSPECT, UNCERTAIN or RULED, or the load's; raises
        JournalDamagedError."""
        row = self.row(
            "SELECT number, raw, damaged FROM records WHERE intent = ?"
            " AND (kind BETWEEN 2 AND 6 OR kind BETWEEN 10 AND 12) ORDER BY number DESC LIMIT 1",
            intent,
        )
        return None if row is None else self._record(row)

    def by_order(self, order_no: str) -> list[Record]:
        """INTENTs and DECLINEDs of the order and what followed them, oldest first.

        Raises JournalDamagedError: an order whose record is damaged was not never seen; and
        OrderSettledError: neither was one whose records were pruned.
        """
        if self.row(schema.REMEMBERED, order_counter(order_no)) is not None:
            raise OrderSettledError(f"order {order_no} was paid and has left this unit")
        rows = self.rows(
            "SELECT number, raw, damaged FROM records WHERE order_no = ?1 UNION ALL"
            " SELECT number, raw, damaged FROM records WHERE intent IN"
            " (SELECT number FROM records WHERE order_no = ?1 AND kind IN (1, 9)) ORDER BY number",
            order_no,
        )
        return [self._record(row) for row in rows]

    def spent_fen(self, day: int, card_id: bytes | None = None) -> int:
        """account + self + pooled of that local day (YYYYMMDD) but for VOID; of one card or all."""
        if card_id is None:
            row = self.row("SELECT sum(fen) FROM records WHERE day = ?", day)
        else:
            row = self.row(
                "SELECT sum(fen) FROM records WHERE day = ? AND card_id = ?", day, card_id
            )
        return int(row[0] or 0)

    def open_totals(self, card_id: bytes) -> list[Record]:
        """The card's newest DONE INTENT that still needs its TOTALS: none or one.

        It does when it read EF06 or has a special class.
        """
        rows = self.rows(
            "SELECT number, raw, damaged FROM records AS paid WHERE card_id = ? AND state = 2"
            " AND NOT EXISTS (SELECT 1 FROM records WHERE intent = paid.number AND kind = 7)"
            " ORDER BY number DESC LIMIT 1",
            card_id,
        )
        return [each for each in self._sound(rows) if not each.body.keys().isdisjoint(_TOTALLED)]

    def last_terminal_serial(
        self, terminal: bytes, algorithm: int = 1
    ) -> tuple[bytes, Record] | None:
        """The newest record that gives the serial of that PSAM (INTENT or PSAM_SEEN).

        Each environment counts its own: 3 is SM4; 0, 1 and none are the DES family.
        """
        rows = self.rows(
            "SELECT number, raw, damaged FROM records WHERE terminal = ?"
            " ORDER BY number DESC LIMIT 64",
            terminal,
        )
        for row in rows:
            for found in self._sound([row]):
                is_counted = KEY_TERMINAL_SERIAL in found.body  # a LOAD_INTENT has none
                if is_counted and (found.body.get(KEY_ALGORITHM, 1) or 1) == algorithm:
                    return found.body[KEY_TERMINAL_SERIAL], found
        return None

    def applied(self, what: str) -> int:
        """The number of the newest signed file of that name that was applied, 0 for none."""
        rows = self.rows(
            "SELECT number, raw, damaged FROM records"
            " WHERE kind IN (21, 22) AND kind = ? ORDER BY number DESC",
            KIND_APPLIED,
        )
        for row in rows:
            for found in self._sound([row]):
                if found.body[KEY_WHAT] == what:
                    return int(found.body[KEY_LAST])
        return 0

    def newest_tamper(self) -> Record | None:
        """The newest TAMPER record; raises JournalDamagedError."""
        row = self.row(
            "SELECT number, raw, damaged FROM records WHERE kind = 19 ORDER BY number DESC LIMIT 1"
        )
        return None if row is None else self._record(row)

    def damaged_ranges(self) -> list[tuple[int, int]]:
        """[first, last] of every DAMAGE record, in the order of the numbers."""
        rows = self.rows(
            "SELECT number, raw, damaged FROM records WHERE kind IN (21, 22) AND kind = ?",
            KIND_DAMAGE,
        )
        return sorted((each.body[KEY_FIRST], each.body[KEY_LAST]) for each in self._sound(rows))

    def close(self) -> None:
        with self._reading:
            self._reader.close()
