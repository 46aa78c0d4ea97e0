"""The device keys of each unit: from which record to which one each is good.

A unit is enrolled with one key, good from record 1 on.  A KEY_CHANGE in its own chain (number n)
ends the old key at n and begins the new one there: n itself is signed by the old key, a batch that
ends with n by the new one.  A key that a person exchanged (`enrol --new-key`) ends at the last
stored record, or where that person says.  What a key signed outside its range is a stranger's.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from firmware.journal import algorithms, cose, record
from firmware.journal.algorithms import AlgorithmError
from firmware.journal.algorithms import key_id as id_of
from firmware.journal.cose import CoseError
from firmware.journal.enrolment import Enrolment
from firmware.journal.kinds import KEY_PUBLIC_KEY, KEY_SIGNING_ALGORITHM, KIND_KEY_CHANGE
from firmware.journal.record import Record, RecordError
from firmware.journal.statement import BatchError, Statement

if TYPE_CHECKING:
    from office.store import Store

TABLES = """
CREATE TABLE keys (
    unit TEXT NOT NULL, key_id BLOB NOT NULL, algorithm INT NOT NULL, public_key BLOB NOT NULL,
    first BIGINT NOT NULL, last BIGINT, request BLOB NOT NULL, enrolled_ms BIGINT NOT NULL,
    PRIMARY KEY (unit, key_id)
);
CREATE TABLE certificates (
    unit TEXT NOT NULL, serial TEXT NOT NULL, what TEXT NOT NULL, pem TEXT NOT NULL,
    issued_ms BIGINT NOT NULL, PRIMARY KEY (unit, serial)
);
CREATE TABLE reveals (
    unit TEXT NOT NULL, number BIGINT NOT NULL, who TEXT NOT NULL, asked_ms BIGINT NOT NULL,
    PRIMARY KEY (unit, number, asked_ms, who)
);
"""
"""keys.request: what brought the key, an enrolment request or a KEY_CHANGE record."""


class KeyRefused(ValueError):
    """A KEY_CHANGE that changes nothing here: not signed by a key good for it, or no key."""


@dataclass(frozen=True)
class DeviceKey:
    """Good for records first..last, and for statements that cover one of them; None: no end."""

    algorithm: int
    public_key: bytes
    first: int
    last: int | None
    request: bytes = field(default=b"", repr=False, compare=False)

    @property
    def key_id(self) -> bytes:
        """8 bytes."""
        return id_of(self.public_key)

    def is_good(self, first: int, last: int) -> bool:
        """For any record of that range."""
        return self.first <= last and (self.last is None or self.last >= first)


def keys_of(store: Store, unit: str) -> list[DeviceKey]:
    """Every key the unit had, the newest first; [] when it is not enrolled."""
    sql = (
        "SELECT algorithm, public_key, first, last, request FROM keys WHERE unit = ?"
        " ORDER BY enrolled_ms DESC, first DESC, key_id"
    )
    return [DeviceKey(*row) for row in store.rows(sql, unit)]


def for_record(known: Iterable[DeviceKey], key_id: bytes, number: int) -> DeviceKey | None:
    """The key of that id, if it may sign that record."""
    return for_statement(known, key_id, number, number)


def for_statement(
    known: Iterable[DeviceKey], key_id: bytes, first: int, last: int
) -> DeviceKey | None:
    """The key of that id, if it may sign a batch of the records first..last."""
    for each in known:
        if each.key_id == key_id and each.is_good(first, last):
            return each
    return None


def read(raw: bytes, known: Iterable[DeviceKey]) -> Record:
    """The record of these bytes, signed by a key that is good for it; raises RecordError."""
    keys = list(known)
    found = record.read(raw, {each.key_id: each.public_key for each in keys})
    ident = cose.peek1(raw).key_id
    if for_record(keys, ident, found.number) is None:
        raise RecordError(f"the key {ident.hex()} is not good for record {found.number}")
    return found


def statement_key(known: Iterable[DeviceKey], statement: Statement) -> bytes:
    """The public key that may have signed it; raises BatchError."""
    ident = cose.peek1(statement.raw).key_id
    found = for_statement(known, ident, statement.first, statement.last)
    if found is None:
        raise BatchError(f"statement: the key {ident.hex()} is not known or not good for it")
    return found.public_key


def with_changes(known: Sequence[DeviceKey], changes: Iterable[bytes]) -> list[DeviceKey]:
    """The keys, once these KEY_CHANGE records are followed; each is verified whole.

    changes: ascending by number.  A change that was followed before changes nothing.  Call it with
    those of a batch before its statement is verified: that may be signed by the newest key.
    Raises KeyRefused.
    """
    keys = list(known)
    for raw in changes:
        keys = _with_change(keys, raw)
    return keys


def _with_change(keys: list[DeviceKey], raw: bytes) -> list[DeviceKey]:
    try:
        ident = cose.peek1(raw).key_id
        signing = [each for each in keys if each.key_id == ident]
        change = record.read(raw, {each.key_id: each.public_key for each in signing})
        number, body = change.number, change.body
        if change.kind != KIND_KEY_CHANGE:
            raise KeyRefused(f"record {number} is no KEY_CHANGE")
        algorithm = algorithms.written(-body[KEY_SIGNING_ALGORITHM])
        coming = DeviceKey(algorithm, body[KEY_PUBLIC_KEY], number, None, raw)
        algorithms.check_key(coming.algorithm, coming.public_key)
    except (CoseError, RecordError, AlgorithmError) as error:
        raise KeyRefused(str(error)) from None
    same = [each for each in keys if each.key_id == coming.key_id]
    if same:
        if same[0].first == number and signing[0].last == number:
            return keys
        raise KeyRefused(f"record {number} names a key that this unit had before")
    if not signing[0].is_good(number, number):
        raise KeyRefused(f"the key {ident.hex()} is not good for record {number}")
    ended = [replace(each, last=number) if each is signing[0] else each for each in keys]
    return [coming, *ended]


def keep_changes(store: Store, unit: str, known: Iterable[DeviceKey], now_ms: int) -> None:
    """Write what `with_changes` found; inside the transaction that stores the records."""
    stored = {each.key_id: each for each in keys_of(store, unit)}
    for each in known:
        if each.key_id not in stored:
            _insert(store, unit, each, now_ms)
        elif stored[each.key_id].last != each.last:
            sql = "UPDATE keys SET last = ? WHERE unit = ? AND key_id = ?"
            store.write(sql, each.last, unit, each.key_id)


def enrol(
    store: Store, request: Enrolment, raw: bytes, now_ms: int, until: int | None = None
) -> DeviceKey:
    """Keep the key of this request, in place of the one before, which ends at the last stored
    record or, if that is later, at `until`.  Raises OfficeError 909."""
    unit = request.unit
    with store.transaction():
        known = keys_of(store, unit)
        last = max(last_stored(store, unit), until or 0)
        for each in known:
            if each.last is None:
                sql = "UPDATE keys SET last = ? WHERE unit = ? AND key_id = ?"
                store.write(sql, last, unit, each.key_id)
        first = last + 1 if known else 1
        new = DeviceKey(request.algorithm, request.public_key, first, None, raw)
        _insert(store, unit, new, now_ms)
    return new


def keep_request(store: Store, unit: str, key_id: bytes, raw: bytes) -> None:
    """A newer request under the same key."""
    store.write("UPDATE keys SET request = ? WHERE unit = ? AND key_id = ?", raw, unit, key_id)


def last_stored(store: Store, unit: str) -> int:
    """The number of the newest record of that unit here; 0 for none."""
    row = store.row("SELECT max(last) FROM batches WHERE unit = ?", unit)
    return 0 if row is None or row[0] is None else int(row[0])


def _insert(store: Store, unit: str, key: DeviceKey, now_ms: int) -> None:
    store.write(
        "INSERT INTO keys VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        *(unit, key.key_id, key.algorithm, key.public_key, key.first, key.last),
        *(key.request, now_ms),
    )
