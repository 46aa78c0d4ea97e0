"""Writes batches.json: batches that the firmware sealed, for the tests of both verifiers.

    python -m tests.vectors.make_batches

Run it again when the firmware writes its records in another way; older ones must stay readable, so
add to the list, take nothing away. Keys and cards are invented.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from firmware.journal import kinds
from firmware.journal.batch import seal
from tests.journal_maker import START_MS, UNIT, clock, open_journal, purchase, start_body

TARGET = Path(__file__).with_name("batches.json")


def sealed_today() -> list[str]:
    """Four batches of 8 to 16 records as hex: starts, payments, an opened case."""
    made = []
    with tempfile.TemporaryDirectory() as folder:
        journal = open_journal(Path(folder), clock=clock(START_MS + 86_400_000))
        for turn, count in enumerate((8, 11, 13, 16)):
            journal.append(kinds.KIND_START, start_body(bytes(32)))
            for number in range(count // 3):
                purchase(journal, f"RX-{turn}{number:06}", card=number + 1)
            while journal.head()[0] < sum((8, 11, 13, 16)[: turn + 1]):
                journal.append(kinds.KIND_TAMPER, {kinds.KEY_DETAIL: "机壳被打开 case opened"})
            sealed = seal(journal)
            assert sealed is not None
            made.append(sealed.raw.hex())
        journal.close()
    return made


def main() -> None:
    old = json.loads(TARGET.read_text()) if TARGET.exists() else {"unit": UNIT, "batches": []}
    old["batches"] += sealed_today()
    TARGET.write_text(json.dumps(old, indent=1) + "\n")


if __name__ == "__main__":
    main()
