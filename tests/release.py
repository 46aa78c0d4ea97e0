"""This firmware as an older or a newer release of itself, in a process of its own.

`python -m tests.release older FOLDER act ...` forgets the newest kinds and keys before it opens
FOLDER/journal.db; `newer` knows one kind and two keys more.  Acts, in their order: `write`, `day`
(what only a newer release writes), `rotate`, `receipts`, `prune`, `send`.  Then it tells, as JSON,
what it found.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from firmware.clock import Clock
from firmware.journal import batch, kinds, prune, record, rotation, spool
from firmware.journal.devicekey import FileKeys
from firmware.journal.kinds import KIND_DAY_KEY, KIND_KEY_CHANGE, KIND_SERVICE, Kind
from firmware.journal.receipt import accept_receipt
from firmware.journal.store import Journal
from tests.journal_maker import START_MS, TEST_OFFICE_KEY, UNIT, done_body, intent_body, totals_body

YEAR_MS = 365 * 86_400_000
KEEP_NEWEST = 8
FUTURE_KIND, FUTURE_KEY, FUTURE_NOTE = 99, 200, 201
YOUNG_KINDS = (KIND_DAY_KEY, KIND_KEY_CHANGE)
YOUNG_KEYS = (62, 63, 64, 65, 76, 90, 91)


def become_older() -> None:
    """The tables as they were before their newest rows."""
    for kind in YOUNG_KINDS:
        del kinds.KINDS[kind], kinds.KIND_NAMES[kind]
    for kind, row in kinds.KINDS.items():
        kinds.KINDS[kind] = row._replace(optional=row.optional - set(YOUNG_KEYS))
    for key in YOUNG_KEYS:
        del kinds.KEYS[key], record._KEY_CHECKS[key]


def become_newer() -> None:
    """The tables with rows that nobody has thought of yet."""
    kinds.KEYS |= {FUTURE_KEY: ("future", "text"), FUTURE_NOTE: ("note", "uint")}
    record._KEY_CHECKS |= {FUTURE_KEY: lambda _: True, FUTURE_NOTE: lambda _: True}
    kinds.KIND_NAMES[FUTURE_KIND] = "FUTURE"
    kinds.KINDS[FUTURE_KIND] = Kind("FUTURE", frozenset({FUTURE_KEY}), frozenset({30}))
    for kind in (kinds.KIND_INTENT, kinds.KIND_DONE):
        row = kinds.KINDS[kind]
        kinds.KINDS[kind] = row._replace(optional=row.optional | {FUTURE_NOTE})


class Unit:
    def __init__(self, release: str, folder: Path):
        self.release = release
        self.folder = folder
        self.keys = FileKeys(folder / "device.key")
        clock = Clock(has_rtc=True, trust_h=24, wall=self._now_s)
        self._at_ms = START_MS
        self.journal = Journal.open(
            folder / "journal.db",
            signer=self.keys.current(),
            unit=UNIT,
            profile=1,
            clock=clock,
            min_free_mb=1,
            take=self.keys.take,
        )
        self._at_ms = max(START_MS, clock.floor_ms) + 1000
        self.journal._pruner = prune.Pruner(self.journal, 90, KEEP_NEWEST)

    def _now_s(self) -> float:
        self._at_ms += 1000
        return self._at_ms / 1000

    def write(self) -> None:
        """Five payments, the last one open."""
        note = {FUTURE_NOTE: 7} if self.release == "newer" else {}
        at = self.journal.head()[0]
        for turn in range(5):
            order_no = f"{self.release}-{at}-{turn}"
            intent = self.journal.append(kinds.KIND_INTENT, intent_body(order_no, turn) | note)
            if turn < 4:
                self.journal.append(kinds.KIND_DONE, done_body(intent.number) | note)
                self.journal.append(kinds.KIND_TOTALS, totals_body(intent.number), ride=True)
        self.journal.flush()

    def day(self) -> None:
        """Records of every kind and key that an older release has never heard of."""
        append = self.journal.append
        append(KIND_DAY_KEY, {62: 1, 63: bytes(80)})
        append(KIND_SERVICE, {2: "clerk", 50: "act", 36: 1, 62: 1, 76: bytes(60)})
        append(kinds.KIND_TAMPER, {50: "the case was opened", 90: 1, 91: 2})
        append(kinds.KIND_TAMPER, {50: "cleared", 90: 2, 2: "clerk"})
        append(FUTURE_KIND, {FUTURE_KEY: "alone"})
        intent = append(kinds.KIND_INTENT, intent_body(f"ruled-{self.journal.boot}"))
        suspect = {**done_body(intent.number), 33: 2, 36: 503}
        append(kinds.KIND_SUSPECT, suspect)
        append(kinds.KIND_RULED, {30: intent.number, 2: "clerk", 50: "found", 65: 2})
        append(FUTURE_KIND, {FUTURE_KEY: "of a payment", 30: intent.number})

    def rotate(self) -> None:
        rotation.rotate(self.journal, self.keys)

    def send(self) -> None:
        while batch.seal(self.journal, 7):
            pass
        batch.put_out(self.journal)

    def receipts(self) -> None:
        """Those that lie in up/, verified and kept."""
        for _, path in spool.receipts(self.folder):
            accept_receipt(self.journal, path.read_bytes(), TEST_OFFICE_KEY.public_key)
            path.unlink()

    def prune(self) -> None:
        """A year later."""
        at_ms, self._at_ms = self._at_ms, self._at_ms + YEAR_MS
        while self.journal.prune(5):
            pass
        self._at_ms = at_ms

    def report(self) -> dict[str, Any]:
        """After a whole round of the scrub."""
        journal = self.journal
        journal.scrubbed = 0
        while journal.scrub(16):
            pass
        listed = journal.records(limit=1000)
        return {
            "numbers": [each.number for each in listed],
            "kinds": [each.kind_name for each in listed],
            "stored": [n for (n,) in journal.rows("SELECT number FROM records ORDER BY number")],
            "digests": {str(each.number): each.digest.hex() for each in listed},
            "damaged": journal.damaged_ranges(),
            "head": journal.head()[0],
            "floor": journal.floor,
            "open": [each.number for each in journal.open_intents()],
            "unsent": [
                n for (n,) in journal.rows("SELECT batch FROM batches WHERE receipt IS NULL")
            ],
            "spent": journal.spent_fen(journal.clock.day(START_MS)),
            "keys": [key.hex() for key in journal.public_keys],
        }


def main(release: str, folder: Path, acts: list[str]) -> None:
    {"older": become_older, "newer": become_newer, "this": lambda: None}[release]()
    unit = Unit(release, folder)
    for act in acts:
        getattr(unit, act)()
    print(json.dumps(unit.report()))
    unit.journal.close()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3:])
