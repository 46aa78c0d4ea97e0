"""The office's numbered, signed files: the newest of each name, and the next."""

from __future__ import annotations

from typing import Any

from firmware.journal import cose
from firmware.journal.signedfile import SignedFile, make_signed_file
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


def payload_of(raw: bytes) -> dict[int, Any]:
    """{1: what, 2: number, 3: issued, 4: body} of a message from our own store, or just signed."""
    payload: dict[int, Any] = cose.decode(cose.peek1(raw).payload)
    return payload


def body_of(raw: bytes) -> dict[Any, Any]:
    body: dict[Any, Any] = payload_of(raw)[4]
    return body


def signed_of(raw: bytes) -> SignedFile:
    """As verified: of a message from our own store."""
    return SignedFile(*(payload_of(raw)[key] for key in (1, 2, 3, 4)), raw)
