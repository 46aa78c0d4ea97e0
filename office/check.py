"""Proves from the stored bytes alone that the store is whole: nothing missing, altered or doubled.

What cannot be seen from here: records newer than the newest batch, until the unit sends the next.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from firmware.journal.kinds import (
    KEY_CARD_ID,
    KEY_FIRST,
    KEY_INTENT,
    KEY_LAST,
    KEY_PURCHASE_SERIAL,
    KIND_DAMAGE,
    KIND_DECLINED,
    KIND_DONE,
    KIND_INTENT,
    KIND_LOAD_DONE,
    KIND_LOAD_UNCERTAIN,
    KIND_LOAD_VOID,
    KIND_RULED,
    KIND_SUSPECT,
    KIND_UNCERTAIN,
    KIND_VOID,
)
from firmware.journal.lifecycle import (
    INTENT_KINDS,
    OUTCOME_KINDS,
    PAYMENT_KINDS,
    STATE_NONE,
    LifecycleError,
    next_state,
)
from firmware.journal.record import Record
from firmware.journal.statement import BatchError
from office import chain, fork, receipts, stored
from office.chain import Place
from office.errors import Refused
from office.folder import Folder
from office.store import BatchRow, Store
from office.tac import WRONG, Body, TacKeys

PROGRESS_RECORDS = 10_000
"""Between two words on how far it is; some seconds."""

_NOT_YET = (KIND_UNCERTAIN, KIND_LOAD_UNCERTAIN)

Range = tuple[int, int]
"""First and last record number."""

_STATES = {
    "done": (KIND_DONE,),
    "void": (KIND_VOID,),
    "declined": (KIND_DECLINED,),
    "suspect": (KIND_SUSPECT, KIND_RULED),
    "uncertain": (KIND_UNCERTAIN,),
}
_LOADS = {
    "done": (KIND_LOAD_DONE,),
    "void": (KIND_LOAD_VOID,),
    "uncertain": (KIND_LOAD_UNCERTAIN,),
}


@dataclass
class Findings:
    """missing, damaged: (unit, first, last).  damaged: what the unit itself declared lost.
    duplicates: (unit, DONE) of every payment after the first of the same purchase.
    states: purchases and loads by the kind that decides them, an open one under KIND_INTENT.
    tacs: payments by the state of their TAC; wrong_tacs: (unit, number of the DONE or SUSPECT).
    quarantined: (unit, batch, why).  forked: (unit, batch that was refused, what it holds twice).
    """

    units: int = 0
    records: int = 0
    verified: int = 0
    missing: list[tuple[str, int, int]] = field(default_factory=list)
    damaged: list[tuple[str, int, int]] = field(default_factory=list)
    duplicates: list[tuple[str, int]] = field(default_factory=list)
    states: Counter[int] = field(default_factory=Counter)
    tacs: Counter[str] = field(default_factory=Counter)
    wrong_tacs: list[tuple[str, int]] = field(default_factory=list)
    quarantined: list[tuple[str, int, str]] = field(default_factory=list)
    forked: list[tuple[str, int, str]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    refused: int = 0

    @property
    def is_whole(self) -> bool:
        lost = self.missing or self.damaged or self.duplicates or self.problems
        odd = self.wrong_tacs or self.quarantined or self.forked
        return self.records == self.verified and not lost and not odd

    def _counted(self, states: dict[str, tuple[int, ...]]) -> dict[str, int]:
        return {name: sum(self.states[kind] for kind in kinds) for name, kinds in states.items()}

    def to_json(self) -> dict[str, Any]:
        return {
            "ok": self.is_whole,
            "units": self.units,
            "records": self.records,
            "verified": self.verified,
            "gaps": _count(self.missing),
            "duplicates": len(self.duplicates),
            "damaged": _count(self.damaged),
            "purchases": self._counted(_STATES),
            "loads": self._counted(_LOADS),
            "open": sum(self.states[kind] for kind in INTENT_KINDS),
            "refused": self.refused,
            "tac": dict(self.tacs),
            "wrong_tac": [list(each) for each in self.wrong_tacs],
            "missing": [list(each) for each in self.missing],
            "declared_damaged": [list(each) for each in self.damaged],
            "quarantined": [list(each) for each in self.quarantined],
            "forked": [list(each) for each in self.forked],
            "problems": self.problems,
        }


def _silent(done: int, of: int) -> None:
    """Nobody looks on."""


def check(folder: Folder, progress: Callable[[int, int], None] = _silent) -> Findings:
    """Every unit, batch and record: statement, root, chain, numbers, states, rows, receipts.

    progress: records done, of how many.  The signatures of the records are for `deep.verify`.
    """
    found = Findings(refused=len(list(folder.refused.glob("*.batch"))))
    found.records = folder.store.rows("SELECT count(*) FROM records")[0][0]
    found.forked = fork.noted(folder.store)
    found.problems += receipts.check(
        folder.store, [*folder.former_keys(), folder.signer.public_key]
    )
    purchases: dict[tuple[bytes, int], list[tuple[str, int]]] = defaultdict(list)
    tac_keys = folder.tac_keys()
    due = PROGRESS_RECORDS
    for unit in folder.store.units():
        found.units += 1
        walk = _Unit(folder.store, unit, found, tac_keys)
        for record in walk.records():
            walk.follow(record)
            if found.verified >= due:
                progress(found.verified, found.records)
                due = found.verified + PROGRESS_RECORDS
        walk.close()
        for purchase, dones in walk.dones():
            purchases[purchase] += dones
    for dones in purchases.values():
        found.duplicates += dones[1:]
    return found


class _Unit:
    """One unit's batches in order, and what its payments came to."""

    def __init__(self, store: Store, unit: str, found: Findings, tac_keys: TacKeys):
        self._store = store
        self._tac_keys = tac_keys
        self._about: dict[int, Body] = {}  # of INTENTs whose TAC is still to come
        self._unit = unit
        self._found = found
        self._held: list[Range] = []
        self._declared: list[Range] = []
        self._states: dict[int, int] = {}
        self._intents: dict[int, tuple[bytes, int]] = {}
        self._dones: dict[int, list[int]] = defaultdict(list)

    def records(self) -> Iterator[Record]:
        """Every sound record, batch by batch; what is not sound becomes a problem."""
        below: Place | None = None
        for row in self._store.batches(self._unit):
            try:
                sound = stored.sound(self._store, row)
            except BatchError as error:
                self._problem(f"batch {row.batch}: {error}")
                below = None
                yield from self._singly(row)
                continue
            statement = sound.statement
            self._held += subtract([(statement.first, statement.last)], statement.damaged)
            self._declared += statement.damaged
            try:
                if statement.batch == 1:
                    chain.begins(row)
                if below is not None:
                    chain.follows(below, row)
            except Refused as error:
                self._problem(f"batch {row.batch}: {error.detail}")
            below = row
            if row.quarantined is not None:
                self._found.quarantined.append((self._unit, row.batch, row.quarantined))
                continue
            self._found.verified += len(sound.records)
            yield from sound.records

    def _singly(self, row: BatchRow) -> Iterator[Record]:
        """The records of a batch that is no longer sound, those whose own signature is right."""
        for number, found in stored.singly(self._store, row):
            self._held.append((number, number))
            if isinstance(found, Record):
                self._found.verified += 1
                yield found
            else:
                self._problem(f"record {number}: {found}")

    def follow(self, record: Record) -> None:
        """One more record into the payments' states and the declared damage."""
        body = record.body
        if record.kind == KIND_DAMAGE:
            self._declared.append((body[KEY_FIRST], body[KEY_LAST]))
        if record.kind == KIND_DECLINED:
            self._found.states[KIND_DECLINED] += 1
        if record.kind == KIND_INTENT:
            self._intents[record.number] = (body[KEY_CARD_ID], body[KEY_PURCHASE_SERIAL])
        if record.kind == KIND_DONE:
            self._dones[body[KEY_INTENT]].append(record.number)
        self._check_tac(record)
        if record.kind in PAYMENT_KINDS:
            intent = record.number if record.kind in INTENT_KINDS else body[KEY_INTENT]
            state = self._states.get(intent, STATE_NONE)
            try:
                self._states[intent] = next_state(state, record.kind)
            except LifecycleError as error:
                self._problem(f"record {record.number}, purchase {intent}: {error}")

    def _check_tac(self, record: Record) -> None:
        if record.kind in INTENT_KINDS:
            self._about[record.number] = record.body
        elif record.kind in OUTCOME_KINDS and record.kind not in _NOT_YET:
            about = self._about.pop(record.body[KEY_INTENT], None)
            state = self._tac_keys.state(record, about)
            if state is not None:
                self._found.tacs[state] += 1
            if state == WRONG:
                self._found.wrong_tacs.append((self._unit, record.number))

    def close(self) -> None:
        """Count the states; what is neither held nor declared lost is missing.

        A record that the unit lost after it had sent it is held, and so neither.
        """
        self._found.states.update(self._states.values())
        held = _joined(self._held)
        declared = _joined(self._declared)
        holes = subtract([(1, held[-1][1])] if held else [], held)
        for first, last in subtract(holes, declared):
            self._found.missing.append((self._unit, first, last))
        for first, last in subtract(declared, held):
            self._found.damaged.append((self._unit, first, last))

    def dones(self) -> Iterable[tuple[tuple[bytes, int], list[tuple[str, int]]]]:
        """((card id, purchase serial), its DONE records), the office's duplicate test."""
        for intent, numbers in self._dones.items():
            if intent in self._intents:
                yield self._intents[intent], [(self._unit, number) for number in numbers]

    def _problem(self, text: str) -> None:
        self._found.problems.append(f"{self._unit}: {text}")


def subtract(ranges: Iterable[Range], taken: Iterable[Range]) -> list[Range]:
    """What of `ranges` no range of `taken` covers."""
    left = [each for each in ranges if each[0] <= each[1]]
    for start, end in taken:
        cut = []
        for first, last in left:
            cut += [(first, min(last, start - 1)), (max(first, end + 1), last)]
        left = [each for each in cut if each[0] <= each[1]]
    return left


def _joined(ranges: Iterable[Range]) -> list[Range]:
    """The same numbers in as few ranges as possible."""
    joined: list[Range] = []
    for first, last in sorted(ranges):
        if joined and first <= joined[-1][1] + 1:
            first, last = joined[-1][0], max(joined.pop()[1], last)
        joined.append((first, last))
    return joined


def _count(ranges: Iterable[tuple[str, int, int]]) -> int:
    return sum(last - first + 1 for _, first, last in ranges)
