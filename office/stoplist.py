"""The stop list (docs/records.md): kept in the store, signed under a number that only grows."""

from __future__ import annotations

import re
from typing import Any

from firmware.journal import cose
from firmware.journal.cose import CoseError
from firmware.journal.record import digest_of
from firmware.journal.signedfile import STOPLIST, SignedFile, SignedFileError, make_signed_file
from firmware.journal.signedfile import signed_file as read_signed_file
from office.errors import OfficeError
from office.folder import Folder

CARD, RANGE, TERMINAL = 1, 2, 3  # keys of the body

_CARD = re.compile(r"([0-9A-Fa-f]{32})(?::([0-9A-Za-z]{1,32}))?", re.ASCII)
_RANGE = re.compile(r"([0-9A-Za-z]{1,32})-([0-9A-Za-z]{1,32})", re.ASCII)
_TERMINAL = re.compile(r"[0-9A-Fa-f]{12}", re.ASCII)

Entry = list[Any]
"""[CARD, card id, card number], [RANGE, from, to] or [TERMINAL, terminal number]."""


def card_entry(text: str) -> Entry:
    """32 hex digits of the card id, and after a colon the card number if it is known."""
    match = _matched(_CARD, text)
    return [CARD, bytes.fromhex(match[1]), match[2] or ""]


def range_entry(text: str) -> Entry:
    """FROM-TO, card numbers of one length."""
    first, last = _matched(_RANGE, text).groups()
    if len(first) != len(last) or first > last:
        raise OfficeError(907, text)
    return [RANGE, first, last]


def terminal_entry(text: str) -> Entry:
    """12 hex digits, the terminal number of a lost PSAM."""
    return [TERMINAL, bytes.fromhex(_matched(_TERMINAL, text)[0])]


def _matched(pattern: re.Pattern[str], text: str) -> re.Match[str]:
    match = pattern.fullmatch(text)
    if match is None:
        raise OfficeError(907, f"{text!r:.80}")
    return match


def entries(folder: Folder) -> list[Entry]:
    rows = folder.store.rows("SELECT entry FROM stop_entries ORDER BY entry")
    return [cose.decode(raw) for (raw,) in rows]


def change(folder: Folder, add: list[Entry], remove: list[Entry]) -> None:
    """One transaction; adding twice is adding once, removing what is not there is an error."""
    store = folder.store
    with store.transaction():
        for entry in add:
            store.write("INSERT OR IGNORE INTO stop_entries VALUES (?)", cose.encode(entry))
        for entry in remove:
            raw = cose.encode(entry)
            if store.row("SELECT 1 FROM stop_entries WHERE entry = ?", raw) is None:
                raise OfficeError(907, "an entry to remove is not on the list")
            store.write("DELETE FROM stop_entries WHERE entry = ?", raw)


def make(folder: Folder, now_ms: int) -> SignedFile:
    """Sign the list as it is now; the same entries get a new number each time."""
    store = folder.store
    with store.transaction():
        row = store.row("SELECT max(number) FROM signed_files WHERE what = ?", STOPLIST)
        number = (row[0] if row and row[0] else 0) + 1
        body: dict[int, list[object]] = {CARD: [], RANGE: [], TERMINAL: []}
        for kind, *values in entries(folder):
            body[kind].append(values[0] if kind == TERMINAL else values)
        raw = make_signed_file(
            what=STOPLIST, number=number, issued_ms=now_ms, body=body, signer=folder.signer
        )
        store.write("INSERT INTO signed_files VALUES (?, ?, ?)", STOPLIST, number, raw)
    return own_file(folder, raw)


def own_file(folder: Folder, raw: bytes) -> SignedFile:
    """A file that this office signed; raises OfficeError 908."""
    try:
        return read_signed_file(raw, folder.signer.public_key)
    except (SignedFileError, CoseError) as error:
        raise OfficeError(908, f"{error}, SHA-256 {digest_of(raw).hex()[:16]}") from None
