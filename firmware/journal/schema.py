"""The store's tables, its connections, and how SQLite's errors read here.

`records.raw` is the record; every other column is derived from the records and can be rebuilt:

    kind, intent, order_no, card_id, card_number, terminal    as in the record
    day      of an INTENT: the local day, YYYYMMDD
    fen      of an INTENT: account + self + pooled; 0 once it is VOID or RULED not taken
    state    of an INTENT: the kind of its newest outcome, or INTENT itself
    damaged  1: `raw` is not what was signed; the row is quarantined
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from firmware.clock import Clock
from firmware.journal.kinds import (
    KEY_ACCOUNT_FEN,
    KEY_CARD_ID,
    KEY_CARD_NUMBER,
    KEY_INTENT,
    KEY_ORDER_NO,
    KEY_POOLED_FEN,
    KEY_SELF_FEN,
    KEY_TERMINAL,
    KIND_INTENT,
)
from firmware.journal.record import Record

VERSION = 1  # PRAGMA user_version

TABLES = """
CREATE TABLE records (
    number INTEGER PRIMARY KEY, raw BLOB NOT NULL,
    kind INTEGER NOT NULL, intent INTEGER, order_no TEXT, card_id BLOB, card_number TEXT,
    terminal BLOB, day INTEGER, fen INTEGER, state INTEGER, damaged INTEGER NOT NULL
);
CREATE INDEX records_open ON records (number) WHERE state IN (1, 5);
CREATE INDEX records_intent ON records (intent) WHERE intent IS NOT NULL;
CREATE INDEX records_order ON records (order_no) WHERE order_no IS NOT NULL;
CREATE INDEX records_day ON records (day, card_id, fen) WHERE day IS NOT NULL;
CREATE INDEX records_done ON records (card_id) WHERE state = 2;
CREATE INDEX records_terminal ON records (terminal) WHERE terminal IS NOT NULL;
CREATE INDEX records_rare ON records (kind) WHERE kind IN (21, 22);
CREATE TABLE batches (
    batch INTEGER PRIMARY KEY, first INTEGER NOT NULL, last INTEGER NOT NULL,
    header BLOB NOT NULL, receipt BLOB
);
CREATE INDEX batches_sealed ON batches (batch) WHERE receipt IS NULL;
CREATE TABLE keys (key_id BLOB PRIMARY KEY, public_key BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
"""

# Of a load nothing is derived but this: a release that knows no loads must not have to mend it.
LOADS = "CREATE INDEX IF NOT EXISTS records_loads ON records (number) WHERE kind = 9"
TAMPERS = "CREATE INDEX IF NOT EXISTS records_tamper ON records (number) WHERE kind = 19"
LOAD_STATE = (
    "coalesce((SELECT o.kind FROM records AS o WHERE o.intent = records.number"
    " AND o.kind BETWEEN 10 AND 12 ORDER BY o.number DESC LIMIT 1), 9)"
)
"""SQL: the state of the load whose LOAD_INTENT the row is."""

DAY_KEY = "day key"
"""A counter: the newest number of a day key (sealed.py)."""

REMEMBERED = "SELECT value FROM counters WHERE name = ?"

INSERT = "INSERT INTO records VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0)"
DERIVED = "kind, intent, order_no, card_id, card_number, terminal, day, fen, state"

BUSY_MS = 2000


class JournalError(Exception):
    """The journal cannot do what was asked; nothing was half done."""


class JournalFullError(JournalError):
    """No room for the record: free space on the disk; nothing was written, no number used."""


class JournalCorruptError(JournalError):
    """The database file itself is damaged; its records are carried into a new one."""


class JournalDamagedError(JournalError):
    """A record is there but is not what was signed; it must not be taken for absent."""

    def __init__(self, number: int, why: str):
        super().__init__(f"record {number} is damaged: {why}")
        self.number = number


class OrderSettledError(JournalError):
    """The order was paid so long ago that its records have left the unit."""


def derived_columns(record: Record, clock: Clock) -> tuple[object, ...]:
    """The values of DERIVED for a new record."""
    body = record.body
    day = fen = state = None
    if record.kind == KIND_INTENT:
        day = clock.day(record.time_ms)
        fen = body[KEY_ACCOUNT_FEN] + body[KEY_SELF_FEN] + body[KEY_POOLED_FEN]
        state = KIND_INTENT
    return (
        record.kind,
        body.get(KEY_INTENT),
        body.get(KEY_ORDER_NO),
        body.get(KEY_CARD_ID),
        body.get(KEY_CARD_NUMBER),
        body.get(KEY_TERMINAL),
        day,
        fen,
        state,
    )


def connect(path: Path) -> sqlite3.Connection:
    """The writing connection: WAL, one fdatasync a commit, no checkpoint unless asked for."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection.text_factory = _text
    try:
        connection.execute(f"PRAGMA busy_timeout = {BUSY_MS}")
        mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
        if mode != "wal":
            raise JournalError(f"{path}: no write-ahead log here; put data_dir on a local disk")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        connection.execute("PRAGMA cell_size_check = ON")
        connection.execute("PRAGMA secure_delete = ON")  # what was pruned cannot be carved
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version == 0:
            connection.executescript(f"BEGIN; {TABLES} PRAGMA user_version = {VERSION}; COMMIT;")
        elif version != VERSION:
            raise JournalError(
                f"{path} has version {version}, this release knows {VERSION}: install the one "
                f"that made it; if there was none, rename it to {path.name}.damaged-header"
            )
        connection.execute(LOADS)
        connection.execute(TAMPERS)
    except BaseException:
        connection.close()
        raise
    return connection


def connect_to_read(path: Path) -> sqlite3.Connection:
    """A connection that cannot write, beside the writing one."""
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=ro",
        uri=True,
        isolation_level=None,
        check_same_thread=False,
    )
    connection.text_factory = _text
    connection.execute(f"PRAGMA busy_timeout = {BUSY_MS}")
    return connection


def _text(raw: bytes) -> str:
    """A damaged row may hold a text that is none; it must be read to be found."""
    return raw.decode("utf-8", "replace")


def failure(error: sqlite3.Error) -> JournalError:
    """What SQLite's error means here."""
    error_code = getattr(error, "sqlite_errorcode", 0)
    code = error_code & 0xFF
    if code == sqlite3.SQLITE_FULL or error_code == sqlite3.SQLITE_IOERR_SHMSIZE:
        return JournalFullError("the disk is full: free space on it")
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return JournalCorruptError(f"the journal's file is damaged: {error}")
    return JournalError(f"the journal's file: {error}")
