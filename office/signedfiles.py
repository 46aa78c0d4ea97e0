"""The office's numbered, signed files: the newest of each name, and the next."""

from __future__ import annotations

from typing import Any

from firmware.journal.signedfile import claimed_file, make_signed_file
from office.folder import Folder
from office.store import Store


def next_number(store: Store, what: str) -> int:
    row = store.row("SELECT max(number) FROM signed_files WHERE what = ?", what)
    return (row[0] if row and row[0] else 0) + 1


def newest(store: Store, what: str) -> bytes | None:
    """The message signed last under that name."""
    sql = "SELECT raw FROM signed_files WHERE what = ? ORDER BY number DESC LIMIT 1"
    row = store.row(sql, what)
    return None if row is None else bytes(row[0])


def sign(folder: Folder, what: str, body: object, now_ms: int) -> bytes:
    """A new file, its number above every one before, stored; call it inside a transaction."""
    number = next_number(folder.store, what)
    raw = make_signed_file(
        what=what, number=number, issued_ms=now_ms, body=body, signer=folder.signer
    )
    folder.store.write("INSERT INTO signed_files VALUES (?, ?, ?)", what, number, raw)
    return raw


def body_of(raw: bytes) -> dict[Any, Any]:
    """Of a message from our own store, or just signed: nobody needs to verify it."""
    body: dict[Any, Any] = claimed_file(raw).body
    return body
