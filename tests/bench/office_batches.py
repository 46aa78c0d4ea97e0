"""Batches for the bench of the office: real signatures, and random wherever a terminal's are.

`python -m tests.bench.office_batches FOLDER UNITS BATCHES RECORDS FIRST` writes the files of units
FIRST.. and their keys; purchases of INTENT, DONE and TOTALS, as a pharmacy makes them.
"""

from __future__ import annotations

import os
import random
import sys
from pathlib import Path

from firmware.journal import cose, merkle
from firmware.journal.algorithms import Ed25519Signer
from firmware.journal.batch import make_file
from firmware.journal.kinds import KIND_DONE, KIND_INTENT, KIND_TOTALS
from firmware.journal.packing import pack
from firmware.journal.record import NO_PREVIOUS, digest_of

RECORD, BATCH = "application/ssc-record+cbor", "application/ssc-batch+cbor"
START_MS = 1_795_312_800_000


def unit_name(at: int) -> str:
    return f"pharmacy-{at:05d}"


class Maker:
    """One unit's history, batch after batch."""

    def __init__(self, unit: str, chance: random.Random):
        self.unit = unit
        self.signer = Ed25519Signer(os.urandom(32))
        self._chance = chance
        self._number = self._batches = 0
        self._previous = self._statement = NO_PREVIOUS
        self._terminal = os.urandom(6)

    def batch(self, records: int) -> bytes:
        first, raws = self._number + 1, []
        while len(raws) < records:
            intent = self._number + 1
            raws.append(self._record(KIND_INTENT, self._intent()))
            if len(raws) < records:
                raws.append(self._record(KIND_DONE, self._done(intent)))
            if len(raws) < records:
                raws.append(self._record(KIND_TOTALS, {30: intent, 44: 1}))
        self._batches += 1
        root = merkle.root([merkle.leaf(raw) for raw in raws])
        fields = (self.unit, self._batches, first, self._number, root, self._statement, 0, [])
        payload = cose.encode(dict(enumerate(fields, 1)) | {7: self._now_ms()})
        statement = cose.sign1(payload, self.signer, BATCH)
        self._statement = digest_of(statement)
        return make_file(statement, pack(raws))

    def _now_ms(self) -> int:
        return START_MS + 7_000 * self._number + self._chance.randrange(5_000)

    def _record(self, kind: int, body: dict) -> bytes:
        self._number += 1
        fields = (self.unit, self._number, 3, self._now_ms(), 1, kind, 1, self._previous, body)
        payload = cose.encode(dict(enumerate(fields, 1)))
        raw = cose.sign1(payload, self.signer, RECORD)
        self._previous = digest_of(raw)
        return raw

    def _intent(self) -> dict:
        chance = self._chance
        account, own = chance.randrange(100, 30_000), chance.choice((0, chance.randrange(5_000)))
        return {
            1: f"2026{chance.randrange(10**10):010d}", 2: "clerk-7", 3: self._terminal,
            4: self._number.to_bytes(4, "big"), 5: chance.randbytes(16),
            6: f"{chance.choice('ABC')}{chance.randrange(10**8):08d}", 7: chance.randbytes(13),
            8: 3, 9: 1, 10: 1, 11: chance.randrange(1, 5_000), 12: chance.randbytes(4),
            15: chance.randbytes(7), 16: chance.randbytes(4), 17: chance.randrange(10**6),
            18: 0, 19: 0, 20: b"\x20\x26", 21: [chance.randrange(10**6), 0, 0],
            22: account, 23: own, 24: 0, 25: 1,
        }  # fmt: skip

    def _done(self, intent: int) -> dict:
        return {
            30: intent, 31: self._chance.randbytes(4), 32: self._chance.randbytes(4),
            33: 1, 34: 1, 35: 1, 36: 1,
        }  # fmt: skip


def make(folder: Path, units: int, batches: int, records: int, first: int) -> None:
    """FOLDER/<unit>/key, and FOLDER/<unit>/<batch>.batch"""
    for at in range(first, first + units):
        maker = Maker(unit_name(at), random.Random(at))
        place = folder / maker.unit
        place.mkdir(parents=True)
        (place / "key").write_bytes(maker.signer.public_key)
        for number in range(1, batches + 1):
            (place / f"{number:08d}.batch").write_bytes(maker.batch(records))


def files(folder: Path) -> list[tuple[str, bytes]]:
    """(unit, file) round after round: every unit's batch 1, then every unit's batch 2."""
    found = sorted(folder.glob("*/*.batch"), key=lambda path: (path.name, path.parent.name))
    return [(path.parent.name, path.read_bytes()) for path in found]


if __name__ == "__main__":
    make(Path(sys.argv[1]), *map(int, sys.argv[2:]))
