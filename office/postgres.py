"""The store's database as a server: PostgreSQL through psycopg, binary COPY for rows in bulk.

The URL may hold a password: it stands in no message of this module.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import psycopg
from psycopg import conninfo, sql
from psycopg.pq import TransactionStatus

from office.database import AlreadyThere, Derived, StoreLost
from office.errors import OfficeError
from office.tables import for_postgres

SCHEMES = ("postgresql://", "postgres://")

_SETTINGS = {
    "connect_timeout": 10,
    "keepalives_idle": 20,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
    "application_name": "sscoffice",
}
_SESSION = (
    "SET synchronous_commit = on",
    "SET statement_timeout = '300s'",
    "SET lock_timeout = '30s'",
    "SET idle_in_transaction_session_timeout = '120s'",
)
_PLANS = b"""
SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off;
SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off
"""

# --- COPY in its binary form (PostgreSQL, "COPY", Binary Format) ---

_SIGNATURE = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_TRAILER = b"\xff\xff"
_NULL = -1
_RECORD = struct.Struct("!iqiqiiiqiqii")  # number, batch, kind, time, boot, trust
_LONG, _SHORT = struct.Struct("!iq"), struct.Struct("!ii")
_WITH_BOTH = struct.Struct("!iqii")
_WITH_INTENT = struct.Struct("!iqi")
_WITH_OUTCOME = struct.Struct("!iii")
_WITHOUT = struct.pack("!ii", _NULL, _NULL)
_PAYMENT = struct.Struct("!iqiqi16siqiqiqiqiiiq")


def _start(columns: int, unit: str) -> bytes:
    raw = unit.encode()
    return struct.pack("!hi", columns, len(raw)) + raw


def record_rows(each: Derived) -> bytes:
    """Raises struct.error for what no column holds."""
    start, batch = _start(9, each.unit), each.batch
    pack = _RECORD.pack
    rows = []
    for number, kind, time_ms, boot, trust, intent, outcome in each.records:
        row = start + pack(8, number, 8, batch, 4, kind, 8, time_ms, 8, boot, 4, trust)
        if intent is None:
            row += _WITHOUT if outcome is None else _WITH_OUTCOME.pack(_NULL, 4, outcome)
        elif outcome is None:
            row += _WITH_INTENT.pack(8, intent, _NULL)
        else:
            row += _WITH_BOTH.pack(8, intent, 4, outcome)
        rows.append(row)
    return b"".join(rows)


def payment_rows(each: Derived) -> bytes:
    """Payments of which the outcome is known; raises struct.error."""
    start = _start(10, each.unit)
    pack = _PAYMENT.pack
    return b"".join(
        [
            start
            + pack(8, intent, 8, time_ms, 16, card, 8, serial, 8, a, 8, s, 8, p, 4, state, 8, by)
            for intent, time_ms, card, serial, a, s, p, state, by in each.payments
        ]
    )


class Postgres:
    """One connection.  Raises OfficeError 901 for a database without tables, 909."""

    def __init__(self, url: str, *, create: bool = False):
        self._info = _conninfo(url)
        self._db = self._open()
        if create:
            with self._errors():
                self._db.execute("BEGIN")
                self._db.execute(sql.SQL(for_postgres()))  # type: ignore[arg-type]
                self._db.execute("COMMIT")
        elif not _has_tables(self._db):
            raise OfficeError(901, shown(url))

    def _open(self) -> psycopg.Connection[tuple[Any, ...]]:
        return _connected(self._info)

    def execute(self, text: str, arguments: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        with self._errors():
            cursor = self._db.execute(_translated(text), arguments or None, binary=True)
            return cursor.fetchall() if cursor.description else []

    def execute_all(self, text: str, rows: Iterable[Sequence[object]]) -> None:
        with self._errors():
            self._db.cursor().executemany(_translated(text), rows)

    def load(self, several: Sequence[Derived]) -> None:
        try:
            records = b"".join(map(record_rows, several))
            payments = b"".join(map(payment_rows, several))
        except struct.error as error:
            raise OfficeError(909, f"a value that no column holds: {error}") from None
        self._copy("records", records)
        self._copy("payments", payments)

    def _copy(self, table: str, rows: bytes) -> None:
        statement = sql.SQL("COPY {} FROM STDIN (FORMAT BINARY)").format(sql.Identifier(table))
        if rows:
            with self._errors(), self._db.cursor().copy(statement) as copy:
                copy.write(_SIGNATURE + rows + _TRAILER)

    def begin(self) -> None:
        self.execute("BEGIN")

    def commit(self) -> None:
        self.execute("COMMIT")

    def rollback(self) -> None:
        with suppress(psycopg.Error):
            if self._db.info.transaction_status != TransactionStatus.IDLE:
                self._db.execute("ROLLBACK")

    def lock_rows(self, table: str, column: str, values: Sequence[str]) -> None:
        marks = ", ".join("?" * len(values))
        self.execute(
            f"SELECT 1 FROM {table} WHERE {column} IN ({marks})"
            f" ORDER BY {column} FOR NO KEY UPDATE",
            values,
        )

    def prefer_indexes(self) -> None:
        with self._errors():
            self._db.execute(_PLANS)

    def reconnect(self) -> None:
        self.close()
        self._db = self._open()

    def close(self) -> None:
        with suppress(psycopg.Error):
            self._db.close()

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except psycopg.errors.UniqueViolation as error:
            raise AlreadyThere(_told(error)) from None
        except psycopg.Error as error:
            if self._db.broken or self._db.closed or _is_passing(error):
                raise StoreLost(_told(error)) from None
            raise OfficeError(909, _told(error)) from None


def check_empty(url: str) -> None:
    """Raises OfficeError 902 for a database that is an office's, 909 for one out of reach."""
    db = _connected(_conninfo(url))
    try:
        if _has_tables(db):
            raise OfficeError(902, shown(url))
    finally:
        db.close()


def _connected(info: str) -> psycopg.Connection[tuple[Any, ...]]:
    """Raises StoreLost; OfficeError 909 for a server that would lose what it has committed."""
    try:
        db = psycopg.connect(info, autocommit=True)
        for each in _SESSION:
            db.execute(each.encode())
        row = db.execute("SHOW fsync").fetchone()
    except psycopg.Error as error:
        raise StoreLost(_told(error)) from None
    if row is None or row[0] != "on":
        raise OfficeError(909, "this PostgreSQL runs with fsync = off")
    return db


def _has_tables(db: psycopg.Connection[tuple[Any, ...]]) -> bool:
    try:
        return db.execute("SELECT to_regclass('batches')").fetchone() != (None,)
    except psycopg.Error as error:
        raise StoreLost(_told(error)) from None


def _is_passing(error: psycopg.Error) -> bool:
    """Deadlock, lock timeout, the server's own stop: the same again may go well."""
    return (error.sqlstate or "")[:2] in ("40", "55", "57", "08", "53")


def _translated(text: str) -> bytes:
    return text.replace("?", "%s").encode()


def _conninfo(url: str) -> str:
    try:
        return conninfo.make_conninfo(url, **_SETTINGS)
    except psycopg.Error:
        raise OfficeError(
            909, "the store's URL is no postgresql://USER@HOST:PORT/DATABASE"
        ) from None


def shown(url: str) -> str:
    """Host and database, never a password."""
    found = conninfo.conninfo_to_dict(_conninfo(url))
    return f"postgresql {found.get('host', '')}/{found.get('dbname', '')}"


def _told(error: psycopg.Error) -> str:
    """The first line of the server's words; rows of a table are in the lines behind it."""
    return f"{error.sqlstate or 'no connection'}: {str(error).strip().splitlines()[0][:160]}"
