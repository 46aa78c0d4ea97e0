"""One transaction of intake: batch after batch is checked, then all rows are written at once."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass, field

from firmware.journal import merkle
from firmware.journal.batch import Sealed, records_of
from firmware.journal.cose import HEADER_KEY_ID, Signer, read_detached
from firmware.journal.cose import key_id as id_of
from firmware.journal.receipt import make_receipt, read_receipt
from firmware.journal.record import RecordError, digest_of
from firmware.journal.statement import BatchError, Statement, read_statement
from office import chain, fork, keys, quarantine, unitstate
from office.books import Duplicate, Entry, duplicates, enter
from office.derive import Content, derive
from office.errors import Refused
from office.keys import DeviceKey, KeyRefused
from office.store import BatchRow, Store
from office.tree import Tree
from office.treerows import TreeRows
from office.unitstate import UnitState

CHECKED_PERCENT = 1
"""Of the records of a batch, chosen at random: their signatures are verified at once."""


@dataclass
class Taken:
    """One batch that is in the books.  receipt: what the unit gets.
    is_new: False for a batch that came again."""

    unit: str
    batch: int
    records: int
    receipt: bytes
    is_new: bool
    duplicates: list[Duplicate] = field(default_factory=list)


@dataclass
class Incoming:
    """A sound batch on its way into the store (also a chain.Place)."""

    statement: Statement
    file: bytes
    content: Content
    digest: bytes
    head: bytes
    quarantined: str | None
    taken: Taken
    keys: list[DeviceKey]
    is_newest: bool = False

    @property
    def batch(self) -> int:
        return self.statement.batch

    @property
    def first(self) -> int:
        return self.statement.first

    @property
    def last(self) -> int:
        return self.statement.last

    @property
    def previous(self) -> bytes:
        return self.statement.previous

    @property
    def opens(self) -> bytes | None:
        return self.content.opens

    @property
    def numbers(self) -> list[int]:
        return self.content.numbers

    @property
    def concerned(self) -> tuple[str, list[tuple[int, int]]]:
        """Of which purchases it speaks."""
        others = [(intent, intent) for intent, _, _ in self.content.settled]
        return self.statement.unit, [(self.first, self.last), *others]


_INSERT = f"INSERT INTO batches VALUES ({', '.join('?' * 19)})"


class Transaction:
    """Inside `store.transaction()`: take(), take(), ..., close().

    careful: rows of payments that may be there already are looked for, one by one.
    """

    def __init__(
        self,
        store: Store,
        signer: Signer,
        trees: TreeRows,
        now_ms: int,
        chance: random.Random,
        careful: bool = False,
    ):
        self._store = store
        self._signer = signer
        self._trees = trees
        self._tree: Tree | None = None
        self._now_ms = now_ms
        self._chance = chance
        self._careful = careful
        self._units: dict[str, UnitState] = {}
        self._changed: dict[str, UnitState] = {}
        self._pending: list[Incoming] = []
        self._written: list[Incoming] = []

    def open(self, units: Iterable[str]) -> None:
        """Read and hold every unit that may be concerned."""
        self._units = unitstate.opened(self._store, units, self._trees.name)

    def take(self, named: str | None, file: bytes, sealed: Sealed | BatchError) -> Taken:
        """named: the unit the link knows at its other end, None if it knows none.

        The receipt and the duplicates stand in what is returned after `close`.  Raises Refused.
        """
        unit = named or ("" if isinstance(sealed, BatchError) else sealed.statement.unit)
        state = self._units.get(unit)
        if state is None:
            raise Refused(801, unit or "?")
        if isinstance(sealed, BatchError):
            raise Refused(802, str(sealed))
        statement = sealed.statement
        digest = statement.digest
        stored = self._stored(state, statement.batch)
        if stored is not None and stored.digest == digest:
            if stored.receipt is not None:
                return self._again(stored, statement)
            quarantine.forget(self._store, stored)  # it is looked at as if it were new
            stored = None
        try:
            incoming = self._checked(state, sealed, file, digest)
        except (BatchError, RecordError, KeyRefused) as error:
            raise Refused(802, str(error)) from None
        if statement.unit != unit:
            raise Refused(806, f"{statement.unit} instead of {unit}")
        self._place(state, incoming, stored, sealed)
        return self._accept(state, incoming)

    # --- one batch ---

    def _stored(self, state: UnitState, batch: int) -> BatchRow | None:
        if state.newest is None or batch > state.newest.batch:
            return None
        self._flush()
        return self._store.batch(state.unit, batch)

    def _again(self, row: BatchRow, statement: Statement) -> Taken:
        receipt = row.receipt or b""
        held = self._store.row(
            "SELECT records FROM batches WHERE unit = ? AND batch = ?", row.unit, row.batch
        )
        if read_detached(receipt).protected[HEADER_KEY_ID] != id_of(self._signer.public_key):
            receipt = self._signed_anew(row, receipt, statement)
        return Taken(row.unit, row.batch, held[0] if held else 0, receipt, False)

    def _signed_anew(self, row: BatchRow, receipt: bytes, statement: Statement) -> bytes:
        """The office has another key now: the same leaf and proofs under the new one."""
        old = read_receipt(receipt)
        proof = old.consistency
        new = make_receipt(
            unit=row.unit,
            batch=row.batch,
            time_ms=self._now_ms,
            issuer=old.issuer,
            signer=self._signer,
            root=old.root(statement.raw),
            size=old.size,
            index=old.index,
            path=list(old.path),
            consistency=None if proof is None else (proof.first, list(proof.path)),
        )
        self._store.write(
            "UPDATE batches SET receipt = ? WHERE unit = ? AND batch = ?", new, row.unit, row.batch
        )
        return new

    def _checked(self, state: UnitState, sealed: Sealed, file: bytes, digest: bytes) -> Incoming:
        """Signature of the statement, root, numbers, chain inside, keys, chosen signatures."""
        statement = sealed.statement
        raws, digests = records_of(sealed)
        content = derive(statement, raws, digests)
        # A batch that holds a KEY_CHANGE is sealed by the key it names.
        known = keys.with_changes(state.keys, [raws[at] for at in content.changes])
        read_statement(statement.raw, keys.statement_key(known, statement))
        for each in content.signed:
            if not all(keys.for_record(known, each.key_id, at) for at in each[1:]):
                raise BatchError(f"records {each.first} to {each.last} are signed by another key")
        for at in self._chosen(len(raws)):
            keys.read(raws[at], known)
        taken = Taken(statement.unit, statement.batch, len(raws), b"", True)
        is_late = state.revoked_ms is not None and content.newest_ms >= state.revoked_ms
        quarantined = quarantine.REVOKED if is_late else None
        return Incoming(statement, file, content, digest, digests[-1], quarantined, taken, known)

    def _chosen(self, records: int) -> list[int]:
        """So many places at random that on average it is CHECKED_PERCENT of them."""
        whole, rest = divmod(records * CHECKED_PERCENT, 100)
        count = whole + (self._chance.randrange(100) < rest)
        return self._chance.sample(range(records), count)

    def _place(
        self, state: UnitState, incoming: Incoming, stored: BatchRow | None, sealed: Sealed
    ) -> None:
        """Refuses what does not continue the unit's history."""
        below, above = state.newest, None
        if state.newest is not None and incoming.batch <= state.newest.batch:
            self._flush()
            below, above = self._store.neighbours(state.unit, incoming.batch)
        try:
            if stored is not None:
                raise Refused(805, f"batch {incoming.batch} of {state.unit}")
            if incoming.batch == 1:
                chain.begins(incoming)
            if below is not None:
                chain.follows(below, incoming)
            if above is not None:
                chain.follows(incoming, above)
        except Refused:
            self._flush()
            other = fork.other_version(self._store, state.unit, incoming, records_of(sealed)[1])
            if other is None:
                raise
            fork.note(self._store, state.unit, incoming, other, self._now_ms)
            raise Refused(
                809, f"record {other} of {state.unit}, in batch {incoming.batch}"
            ) from None

    def _accept(self, state: UnitState, incoming: Incoming) -> Taken:
        if state.newest is None or incoming.batch > state.newest.batch:
            state.newest, incoming.is_newest = incoming, True
        self._changed[state.unit] = state
        self._pending.append(incoming)
        if incoming.quarantined is None:
            state.has_new_keys |= incoming.keys != state.keys
            state.keys = incoming.keys
        else:
            self._flush()
            raise Refused(808, f"batch {incoming.batch} of {state.unit}")
        return incoming.taken

    # --- all of them ---

    def close(self) -> None:
        """Write what is left; the duplicates of all."""
        self._flush()
        for at, found in duplicates(self._store, [each.concerned for each in self._written]):
            self._written[at].taken.duplicates.append(found)
        unitstate.closed(self._store, self._changed.values(), self._trees.name, self._now_ms)
        if self._tree is not None:
            self._trees.close(self._tree)

    def _flush(self) -> None:
        """Every batch accepted so far becomes rows."""
        pending, self._pending = self._pending, []
        if not pending:
            return
        self._store.write_all(_INSERT, [self._row(each) for each in pending])
        booked = [each for each in pending if each.quarantined is None]
        enter(
            self._store,
            [
                Entry(each.statement.unit, each.batch, each.content, each.is_newest)
                for each in booked
            ],
            careful=self._careful,
        )
        self._written += booked

    def _row(self, new: Incoming) -> tuple[object, ...]:
        content, statement = new.content, new.statement
        leaf = None
        if new.quarantined is None:
            leaf, new.taken.receipt = self._receipt(statement)
        return (
            statement.unit, new.batch, new.first, new.last, len(content.numbers),
            statement.time_ms, content.oldest_ms, content.newest_ms, self._now_ms, new.file,
            digest_of(new.file), new.digest, new.previous, new.opens, new.head,
            None if leaf is None else self._trees.name, leaf, new.taken.receipt or None,
            new.quarantined,
        )  # fmt: skip

    def _receipt(self, statement: Statement) -> tuple[int, bytes]:
        """One more leaf in the tree, and the receipt for it."""
        if self._tree is None:
            self._tree = self._trees.open()
        tree, state = self._tree, self._units[statement.unit]
        index = tree.append(merkle.leaf(statement.raw))
        before, state.receipted = state.receipted, tree.size
        receipt = make_receipt(
            unit=statement.unit,
            batch=statement.batch,
            time_ms=self._now_ms,
            issuer=self._trees.name,
            signer=self._signer,
            root=tree.root(),
            size=tree.size,
            index=index,
            path=tree.inclusion(index),
            consistency=None if before is None else (before, tree.consistency(before)),
        )
        return index, receipt
