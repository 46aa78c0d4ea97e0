"""A large stop list in the office: from CSV to rows (docs/records.md), and what changed since.

stoplists/<number>.rows keeps the rows of the newest lists: a difference to each can be made.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from firmware.card.checks import card_number_warning
from firmware.journal import cose
from firmware.journal.signedfile import MAX_FILE
from firmware.journal.spool import write_atomic
from firmware.journal.stoprows import KEY as KEY_LENGTH
from firmware.journal.stoprows import MAX_ROWS, NO_STATE, ROW, difference, key_of
from office.errors import OfficeError
from office.folder import Folder

KEY = 4
"""Of the body: [base, removed, added, rows, SHA-256]."""
KEPT = 30
"""Lists whose rows are kept, the newest ones."""
STEP = 100_000
_ROOM = MAX_FILE - (4 << 20)  # for the data, beside the largest message

Progress = Callable[[str, int], None]
"""What is being done, and how many cards of it are."""


def import_cards(folder: Folder, path: Path, progress: Progress) -> tuple[int, int]:
    """Put the cards of a CSV in the place of all cards of the list; ranges and PSAMs stay.

    The first line names the columns: card_id (32 hex digits), card_number, and state if it is
    told.  Returns (cards, those whose number has a wrong check character, only a warning).  All or
    nothing: raises OfficeError 906, or 907 with the line.
    """
    found = {"cards": 0, "odd": 0}

    def encoded() -> Iterator[tuple[bytes]]:
        for card in _cards(path):
            found["cards"] += 1
            found["odd"] += card_number_warning(card[2]) is not None
            if found["cards"] > MAX_ROWS:
                raise OfficeError(907, f"{path}: more than {MAX_ROWS} cards")
            if found["cards"] % STEP == 0:
                progress("import", found["cards"])
            yield (cose.encode(card),)

    store = folder.store
    with store.transaction():
        # A card's entry is the CBOR array of 3 or 4 that begins with 1.
        store.write("DELETE FROM stop_entries WHERE substr(entry, 2, 1) = ?", b"\x01")
        store.write_all("INSERT INTO stop_entries VALUES (?) ON CONFLICT DO NOTHING", encoded())
    return found["cards"], found["odd"]


def _cards(path: Path) -> Iterator[list[Any]]:
    """[1, card id, card number] and the state where one is told."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = csv.reader(file)
            columns = next(lines, [])
            if columns[:2] != ["card_id", "card_number"] or columns[2:] not in ([], ["state"]):
                raise OfficeError(907, f"{path}:1: card_id,card_number,state")
            for line in lines:
                if line:
                    yield _card(line, f"{path}:{lines.line_num}")
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise OfficeError(906, f"{path}: {error}") from None


def _card(line: list[str], place: str) -> list[Any]:
    ident, number, state = (*line, "", "")[:3]
    is_number = len(number) <= 32 and number.isascii() and (number.isalnum() or not number)
    if len(line) <= 3 and len(ident) == 32 and is_number and (not state or state in "012349"):
        try:
            return [1, bytes.fromhex(ident), number, *([int(state)] if state else [])]
        except ValueError:
            pass
    raise OfficeError(907, f"{place}: {','.join(line)!r:.80}")


def keep(
    folder: Path, number: int, base: int, cards: list[Any], progress: Progress | None
) -> tuple[list[object], bytes]:
    """(the body's key 4, the data behind the message) of list `number`, as a change of `base`.

    cards: [card id, card number] and a state where one is told.  Raises OfficeError 906, 907.
    """
    rows: dict[bytes, int] = {}
    for at, (card_id, card_number, *state) in enumerate(cards, 1):
        rows[key_of(card_id, card_number)] = state[0] if state else NO_STATE
        if progress is not None and at % STEP == 0:
            progress("sort", at)
    whole = b"".join(key + bytes([rows[key]]) for key in sorted(rows))
    try:
        removed, added = difference(_base(folder, base), whole) if base else (b"", whole)
        (folder / "stoplists").mkdir(exist_ok=True)
        write_atomic(_path(folder, number), whole)
        _path(folder, number - KEPT).unlink(missing_ok=True)
    except OSError as error:
        raise OfficeError(906, f"{folder / 'stoplists'}: {error.strerror}") from None
    if len(removed) + len(added) > _ROOM:
        raise OfficeError(907, f"{len(rows)} cards, too many for one file")
    counts = [base, len(removed) // KEY_LENGTH, len(added) // ROW, len(rows)]
    return [*counts, hashlib.sha256(whole).digest()], removed + added


def kept(folder: Path, number: int) -> bytes | None:
    """The rows of list `number`, while they are kept."""
    try:
        return _path(folder, number).read_bytes()
    except FileNotFoundError:
        return None


def _base(folder: Path, number: int) -> bytes:
    rows = kept(folder, number)
    if rows is None:
        raise OfficeError(907, f"--since {number}: the rows of that list are not kept")
    return rows


def _path(folder: Path, number: int) -> Path:
    return folder / "stoplists" / f"{number}.rows"
