"""When the database file itself is damaged: carry its records into a new one.

Records are signed and lie whole inside a page, so they are found by their first bytes anywhere in
the file, its log and the batches in out/, whatever has become of SQLite's own structures.  The
damaged file is moved aside and kept.  Numbers go on above the ceiling (room.py); what may be
missing below it is declared in DAMAGE records.
"""

from __future__ import annotations

import logging
import mmap
import re
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from firmware.journal import batch, cose, prune, record, scrub, spool, statement
from firmware.journal.cose import CoseError, key_id
from firmware.journal.kinds import KEY_PUBLIC_KEY, KIND_KEY_CHANGE, KIND_START
from firmware.journal.record import Record, RecordError
from firmware.journal.room import CEILING_STEP, Floor
from firmware.journal.statement import BatchError, Statement, read_statement

if TYPE_CHECKING:
    from firmware.journal.store import Journal

log = logging.getLogger(__name__)

_ORDER = re.compile(prune.ORDER.encode() + rb"[A-Za-z0-9_-]{11}")

Keys = dict[bytes, bytes]  # key id -> public key


def wal_of(path: Path) -> Path:
    return path.with_name(path.name + "-wal")


def carve(paths: list[Path], content_type: str) -> Iterator[bytes]:
    """Each message of that type in the files, once, unverified."""
    seen: set[bytes] = set()
    for path in paths:
        if not path.exists() or path.stat().st_size == 0:
            continue
        with open(path, "rb") as handle, mmap.mmap(handle.fileno(), 0, prot=mmap.PROT_READ) as data:
            for raw in cose.carve(data, content_type):
                if raw not in seen:
                    seen.add(raw)
                    yield raw


def carve_orders(paths: list[Path]) -> set[str]:
    """The counters that remember orders whose records have left, wherever they lie in the files."""
    found: set[bytes] = set()
    for path in paths:
        if path.exists() and path.stat().st_size:
            with (
                open(path, "rb") as handle,
                mmap.mmap(handle.fileno(), 0, prot=mmap.PROT_READ) as data,
            ):
                found.update(_ORDER.findall(data))
    return {each.decode() for each in found}


def numbered_above(number: int, raws: list[bytes], keys: Mapping[bytes, bytes]) -> list[Record]:
    """The sound records among the messages with a higher number."""
    found = []
    for raw in raws:
        try:
            if cose.decode(cose.peek1(raw).payload)[2] > number:
                found.append(record.read(raw, keys))
        except (CoseError, RecordError, KeyError, TypeError):
            continue
    return found


def rebuild(path: Path, why: str, open_blank: Callable[[Path], Journal]) -> None:
    """A new database in place of the one at `path`, which is moved aside.  Raises JournalError."""
    aside = _move_aside(path)
    log.error("%s: %s; it is rebuilt, the old file is %s", path, why, aside)
    new = path.with_name(path.name + ".new")
    for leftover in (new, wal_of(new), new.with_name(new.name + "-shm")):
        leftover.unlink(missing_ok=True)
    journal = open_blank(new)
    try:
        _fill(journal, _sources(path))
    finally:
        journal.close()
    new.rename(path)
    spool.sync_folder(path.parent)


def _move_aside(path: Path) -> Path | None:
    """Rename the database and its log; the name they got.

    The database first: cut off between the two, it must not be opened without its log.
    """
    if not path.exists() and not wal_of(path).exists():
        return None
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    aside = path.with_name(f"{path.name}.damaged-{stamp}")
    count = 1
    while aside.exists() or wal_of(aside).exists():
        count += 1
        aside = path.with_name(f"{path.name}.damaged-{stamp}-{count}")
    for each, name in ((path, aside), (wal_of(path), wal_of(aside))):
        if each.exists():
            each.rename(name)
    path.with_name(path.name + "-shm").unlink(missing_ok=True)
    spool.sync_folder(path.parent)
    return aside


def _sources(path: Path) -> list[Path]:
    kept = sorted(path.parent.glob(f"{path.name}.damaged-*"), reverse=True)
    return [*kept, *(out for _, out in spool.batches(path.parent))]


def _packed(folder: Path) -> Iterator[bytes]:
    """The records in out/, where they lie packed."""
    for _, path in spool.batches(folder):
        try:
            yield from batch.take_apart(path.read_bytes()).raws
        except BatchError as error:
            log.warning("%s: %s", path, error)


def _fill(journal: Journal, sources: list[Path]) -> None:
    raws = [*carve(sources, record.CONTENT_TYPE), *_packed(journal.data_dir)]
    keys = {**journal.keys, **_own_keys(raws)}
    floor, kept = Floor(journal.data_dir).read()
    records: dict[int, Record] = {}
    for found in numbered_above(0, raws, keys):
        if found.unit == journal.unit and (found.number > floor or found.number in kept):
            records.setdefault(found.number, found)
    headers = _headers(list(carve(sources, statement.CONTENT_TYPE)), keys, journal.unit)
    ordered = [records[number] for number in sorted(records)]
    head = ordered[-1].number if ordered else 0
    ceiling = max(journal.ceiling or head + 2 * CEILING_STEP, *(each.last for each in headers), 0)
    journal.take_over(ordered, headers, keys, ceiling)
    prune.remember(journal, floor, carve_orders(sources))
    gone = dict.fromkeys(set(range(floor + 1, head + 1)) - records.keys(), "it is gone")
    gone.update(dict.fromkeys(range(head + 1, ceiling + 1), "the number may have been in use"))
    declared = journal.damaged_ranges()
    scrub.quarantine(
        journal,
        {n: why for n, why in gone.items() if not any(a <= n <= b for a, b in declared)},
    )
    log.error("%d records were carried over, %d numbers are declared lost", len(records), len(gone))


def _own_keys(raws: list[bytes]) -> Keys:
    """The device keys that START records name and are signed with, and their successors."""
    keys: Keys = {}
    changes: dict[int, list[bytes]] = {}
    for raw in raws:
        try:
            envelope = cose.decode(cose.peek1(raw).payload)
            if envelope[6] == KIND_START:
                public_key = envelope[9][KEY_PUBLIC_KEY]
                record.parse(raw, public_key)
                keys[key_id(public_key)] = public_key
            elif envelope[6] == KIND_KEY_CHANGE and isinstance(envelope[2], int):
                changes.setdefault(envelope[2], []).append(raw)
        except (CoseError, RecordError, KeyError, TypeError):
            continue
    for number in sorted(changes):
        for change in numbered_above(0, changes[number], keys):
            keys[key_id(change.body[KEY_PUBLIC_KEY])] = change.body[KEY_PUBLIC_KEY]
    return keys


def _headers(raws: list[bytes], keys: Keys, unit: str) -> list[Statement]:
    found: dict[int, Statement] = {}
    for raw in raws:
        try:
            header = read_statement(raw, *keys.values())
        except BatchError:
            continue
        if header.unit == unit:
            found.setdefault(header.batch, header)
    return [found[number] for number in sorted(found)]
