"""The stop list (docs/records.md): kept in the store, signed under a number that only grows."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from firmware.journal import cose
from firmware.journal.cose import CoseError
from firmware.journal.record import digest_of
from firmware.journal.signedfile import (
    OFFICEKEY,
    STOPLIST,
    SignedFile,
    SignedFileError,
    claimed_file,
    make_signed_file,
    split,
)
from firmware.journal.signedfile import signed_file as read_signed_file
from office import stoprows
from office.errors import OfficeError
from office.folder import Folder
from office.stoprows import Progress

CARD, RANGE, TERMINAL = 1, 2, 3  # keys of the body

_CARD = re.compile(r"([0-9A-Fa-f]{32})(?::([0-9A-Za-z]{1,32})(?::([0-49]))?)?", re.ASCII)
_RANGE = re.compile(r"([0-9A-Za-z]{1,32})-([0-9A-Za-z]{1,32})(?::([0-49]))?", re.ASCII)
_TERMINAL = re.compile(r"[0-9A-Fa-f]{12}", re.ASCII)

Entry = list[Any]
"""[CARD, card id, card number], [RANGE, from, to], each with a life state behind it where one is
told, or [TERMINAL, terminal number]."""

FEW = 1000
"""Up to so many cards stand readable in the signed file; more follow it as rows."""


class Made(NamedTuple):
    """base: of a difference, the number of the list that it changes; 0: a whole list."""

    signed: SignedFile
    base: int
    data: bytes

    @property
    def raw(self) -> bytes:
        """The file."""
        return self.signed.raw + self.data


def card_entry(text: str) -> Entry:
    """32 hex digits of the card id, after a colon the card number if it is known, its state."""
    match = _matched(_CARD, text)
    return [CARD, bytes.fromhex(match[1]), match[2] or "", *_state(match[3])]


def range_entry(text: str) -> Entry:
    """FROM-TO, card numbers of one length, after a colon their state."""
    first, last, state = _matched(_RANGE, text).groups()
    if len(first) != len(last) or first > last:
        raise OfficeError(907, text)
    return [RANGE, first, last, *_state(state)]


def terminal_entry(text: str) -> Entry:
    """12 hex digits, the terminal number of a lost PSAM."""
    return [TERMINAL, bytes.fromhex(_matched(_TERMINAL, text)[0])]


def _state(text: str | None) -> list[int]:
    return [] if text is None else [int(text)]


def _matched(pattern: re.Pattern[str], text: str) -> re.Match[str]:
    match = pattern.fullmatch(text)
    if match is None:
        raise OfficeError(907, f"{text!r:.80}")
    return match


def entries(folder: Folder) -> list[Entry]:
    rows = folder.store.rows("SELECT entry FROM stop_entries ORDER BY entry")
    return [cose.decode(raw) for (raw,) in rows]


def change(folder: Folder, add: list[Entry], remove: list[Entry]) -> None:
    """One transaction; adding twice is adding once, with the state of the second time; a state is
    not needed to remove; removing what is not there is an error."""
    store = folder.store
    with store.transaction():
        for entry in add:
            _forget(folder, entry)
            store.write("INSERT INTO stop_entries VALUES (?)", cose.encode(entry))
        for entry in remove:
            if not _forget(folder, entry):
                raise OfficeError(907, "an entry to remove is not on the list")


def _forget(folder: Folder, entry: Entry) -> bool:
    """Remove it in whatever state it is; True when it was there."""
    plain = entry if entry[0] == TERMINAL else entry[:3]
    variants = [plain] if entry[0] == TERMINAL else [plain, *([*plain, n] for n in range(10))]
    was_there = False
    for each in variants:
        raw = cose.encode(each)
        if folder.store.row("SELECT 1 FROM stop_entries WHERE entry = ?", raw) is not None:
            folder.store.write("DELETE FROM stop_entries WHERE entry = ?", raw)
            was_there = True
    return was_there


def count(folder: Folder) -> int:
    row = folder.store.row("SELECT count(*) FROM stop_entries")
    return int(row[0]) if row else 0


def make(folder: Folder, now_ms: int, since: int = 0, progress: Progress | None = None) -> Made:
    """Sign the list as it is now; the same entries get a new number each time.

    since: only what changed since the list of that number, for units that hold it; a list of FEW
    cards is always whole.  Raises OfficeError 907 when that list is not known any more.
    """
    store = folder.store
    with store.transaction():
        row = store.row("SELECT max(number) FROM signed_files WHERE what = ?", STOPLIST)
        number = (row[0] if row and row[0] else 0) + 1
        body: dict[int, list[object]] = {CARD: [], RANGE: [], TERMINAL: []}
        for kind, *values in entries(folder):
            body[kind].append(values[0] if kind == TERMINAL else values)
        base, data = 0, b""
        if len(body[CARD]) > FEW:
            cards, body[CARD] = body[CARD], []
            base = since
            body[stoprows.KEY], data = stoprows.keep(folder.path, number, base, cards, progress)
        raw = make_signed_file(
            what=STOPLIST, number=number, issued_ms=now_ms, body=body, signer=folder.signer
        )
        store.write("INSERT INTO signed_files VALUES (?, ?, ?)", STOPLIST, number, raw)
    return Made(own_file(folder, raw), base, data)


def own_file(folder: Folder, raw: bytes) -> SignedFile:
    """A file that this office signed, or its message; raises OfficeError 908.

    An officekey is signed by the key before: it is ours when the store has it.
    """
    if folder.store.row("SELECT 1 FROM signed_files WHERE what = ? AND raw = ?", OFFICEKEY, raw):
        return claimed_file(raw)
    try:
        return read_signed_file(split(raw)[0], folder.signer.public_key)
    except (SignedFileError, CoseError) as error:
        raise OfficeError(908, f"{error}, SHA-256 {digest_of(raw).hex()[:16]}") from None
