"""A new device key inside the chain: the old key signs its successor, and nothing after that.

    1  the next key is made and kept beside the present one
    2  KEY_CHANGE, signed by the present key, is on the disk         <- the change has happened
    3  the next key takes the place of the present one, which is destroyed

All before it is sealed by the old key first, so the next batch begins with KEY_CHANGE: whoever
verifies its statement, signed by the new key, learns that key from it.
A crash before 2 leaves the old key and a next one that never signed anything; a crash after 2 is
finished at the next start, before any record is written.  From which number on a key signs nothing
stands in the journal's counters, `ends <key id>`, and is found again from the KEY_CHANGE records.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from firmware.journal import batch, cose
from firmware.journal.algorithms import Signer, key_id
from firmware.journal.kinds import KEY_PUBLIC_KEY, KEY_SIGNING_ALGORITHM, KIND_KEY_CHANGE
from firmware.journal.record import Record, RecordError, read
from firmware.journal.schema import JournalError

if TYPE_CHECKING:
    from firmware.journal.store import Journal

ENDS = "ends "
"""A counter's name, before the key id in hex: the last record number the key is good for."""

Take = Callable[[bytes], Signer | None]
"""KeyStore.take."""


class KeyStoreError(JournalError):
    """The device key cannot be used; what to do is in the message, no secret is."""


class SuccessorError(KeyStoreError):
    """The key that this journal was handed over to is not here."""


class KeyStore(Protocol):
    """Where the device key lives: a file or a token.  Raises its own error."""

    def current(self) -> Signer:
        """The present key, made if this unit never had one."""

    def make_next(self) -> Signer:
        """A fresh key beside the present one, in place of a next one that was never used."""

    def take(self, ident: bytes) -> Signer | None:
        """The key of that id, in force from now on: the present one, or the next one, which then
        takes its place; None when it is neither.  May be repeated after any interruption."""


def rotate(journal: Journal, keys: KeyStore) -> Record:
    """Change the device key; the KEY_CHANGE record.  Raises JournalError and what `keys` raises."""
    coming = keys.make_next()
    change = hand_over(journal, coming)
    keys.take(key_id(coming.public_key))
    return change


def hand_over(journal: Journal, coming: Signer) -> Record:
    """KEY_CHANGE, the last record that the present key signs; `coming` signs whatever follows."""
    body = {KEY_PUBLIC_KEY: coming.public_key, KEY_SIGNING_ALGORITHM: -coming.algorithm}
    with journal.lock:
        while batch.seal(journal) is not None:
            pass
        journal.keep_key(coming.public_key)
        change = journal.append(KIND_KEY_CHANGE, body)
        journal.sign_with(coming)
        end_keys(journal, [change])
        return change


def settle(journal: Journal, take: Take) -> None:
    """Before anything is written: let the key sign that the newest record asks for.

    Raises SuccessorError where only a key is here that was handed over, and what `take` raises.
    """
    newest = _newest(journal)
    is_change = newest is not None and newest.kind == KIND_KEY_CHANGE
    if newest is not None:
        named = newest.body[KEY_PUBLIC_KEY] if is_change else None
        wanted = cose.peek1(newest.raw).key_id if named is None else key_id(named)
        held = journal.signer if wanted == key_id(journal.signer.public_key) else take(wanted)
        if held is not None:
            journal.sign_with(held)
            end_keys(journal, [newest])
            return
    own = key_id(journal.signer.public_key)
    if is_change or own in journal.ends:
        raise SuccessorError(
            f"the device key {own.hex()} was changed at a record of this journal, and the one that "
            "followed it is not here: put that one back, or remove this one and enrol the unit "
            "again"
        )


def end_keys(journal: Journal, records: list[Record]) -> None:
    """Each key that one of these records hands over signs nothing beyond that record."""
    for change in (each for each in records if each.kind == KIND_KEY_CHANGE):
        ident = cose.peek1(change.raw).key_id
        journal.set_counter(f"{ENDS}{ident.hex()}", change.number)
        journal.ends = {**journal.ends, ident: change.number}


def _newest(journal: Journal) -> Record | None:
    """The record in the newest row; None where there is none or it is damaged."""
    row = journal.row("SELECT raw FROM records ORDER BY number DESC LIMIT 1")
    try:
        return None if row is None else read(row[0], journal.keys)
    except RecordError:
        return None
