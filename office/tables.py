"""The tables of the office's store, once for SQLite and for PostgreSQL (docs/backoffice.md).

`batches.file` is the only copy of the records, byte for byte as it came; `batches.receipt` and
`signed_files.raw` are as signed.  Every other column of `batches`, `records` and `payments` is
found again from the files.  Every key of those three begins with the unit.
"""

from __future__ import annotations

import re

from office import keys

VERSION = 4
PARTITIONS = 8
"""Of `records` in PostgreSQL, by a hash of the unit."""

TABLES = f"""{keys.TABLES}
CREATE TABLE office (name TEXT NOT NULL, version INT NOT NULL);
CREATE TABLE units (
    unit TEXT PRIMARY KEY, revoked_ms BIGINT, batch BIGINT NOT NULL, last BIGINT NOT NULL,
    digest BLOB NOT NULL, head BLOB NOT NULL
);
CREATE TABLE batches (
    unit TEXT NOT NULL, batch BIGINT NOT NULL, first BIGINT NOT NULL, last BIGINT NOT NULL,
    records INT NOT NULL, sealed_ms BIGINT NOT NULL, oldest_ms BIGINT NOT NULL,
    newest_ms BIGINT NOT NULL, received_ms BIGINT NOT NULL, file BLOB NOT NULL,
    file_digest BLOB NOT NULL, digest BLOB NOT NULL, previous BLOB NOT NULL, opens BLOB,
    head BLOB NOT NULL, tree TEXT, leaf BIGINT, receipt BLOB, quarantined TEXT,
    PRIMARY KEY (unit, batch)
);
CREATE INDEX batches_first ON batches (unit, first);
CREATE INDEX batches_newest ON batches (newest_ms);
CREATE INDEX batches_quarantined ON batches (unit) WHERE quarantined IS NOT NULL;
CREATE TABLE records (
    unit TEXT NOT NULL, number BIGINT NOT NULL, batch BIGINT NOT NULL, kind INT NOT NULL,
    time_ms BIGINT NOT NULL, boot BIGINT NOT NULL, trust INT NOT NULL, intent BIGINT, outcome INT,
    PRIMARY KEY (unit, number)
);
CREATE TABLE payments (
    unit TEXT NOT NULL, intent BIGINT NOT NULL, time_ms BIGINT, card_id BLOB,
    purchase_serial BIGINT, account_fen BIGINT, self_fen BIGINT, pooled_fen BIGINT,
    state INT, settled BIGINT, PRIMARY KEY (unit, intent)
);
CREATE INDEX payments_once ON payments (card_id, purchase_serial);
CREATE TABLE trees (tree TEXT PRIMARY KEY, size BIGINT NOT NULL);
CREATE TABLE nodes (
    tree TEXT NOT NULL, level INT NOT NULL, place BIGINT NOT NULL, hash BLOB NOT NULL,
    PRIMARY KEY (tree, level, place)
);
CREATE TABLE receipted (
    unit TEXT NOT NULL, tree TEXT NOT NULL, size BIGINT NOT NULL, PRIMARY KEY (unit, tree)
);
CREATE TABLE findings (
    unit TEXT NOT NULL, batch BIGINT NOT NULL, what TEXT NOT NULL, digest BLOB NOT NULL,
    detail TEXT NOT NULL, seen_ms BIGINT NOT NULL, PRIMARY KEY (unit, batch, what, digest)
);
CREATE TABLE resolutions (
    unit TEXT NOT NULL, intent BIGINT NOT NULL, outcome INT NOT NULL, by_unit TEXT NOT NULL,
    by_intent BIGINT NOT NULL, evidence TEXT NOT NULL, made_ms BIGINT NOT NULL,
    PRIMARY KEY (unit, intent)
);
CREATE TABLE stop_entries (entry BLOB PRIMARY KEY);
CREATE TABLE signed_files (
    what TEXT NOT NULL, number BIGINT NOT NULL, raw BLOB NOT NULL, PRIMARY KEY (what, number)
);
CREATE TABLE presence_requests (
    request_no TEXT PRIMARY KEY, nonce BLOB NOT NULL, made_ms BIGINT NOT NULL, statement BLOB
);
"""


def for_sqlite() -> str:
    """A type with INT in its name is an integer there."""
    return TABLES


def for_postgres() -> str:
    """Bytewise order everywhere; records parted; files neither squeezed again nor in the row."""
    text = re.sub(r"\bTEXT\b", 'TEXT COLLATE "C"', TABLES.replace("BLOB", "BYTEA"))
    head, end = "CREATE TABLE records (", "PRIMARY KEY (unit, number)\n)"
    before, after = text.split(head)
    parts = "".join(
        f"CREATE TABLE records_{at} PARTITION OF records"
        f" FOR VALUES WITH (MODULUS {PARTITIONS}, REMAINDER {at});\n"
        for at in range(PARTITIONS)
    )
    parted = after.replace(end, f"{end} PARTITION BY HASH (unit)", 1)
    storage = "ALTER TABLE batches ALTER COLUMN file SET STORAGE EXTERNAL;\n"
    return before + head + parted + parts + storage
