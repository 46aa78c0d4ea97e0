"""A terminal that signs whatever a test wants, built on docs/records.md and not on the journal."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from firmware.journal import cose, merkle
from firmware.journal.algorithms import Ed25519Signer, key_id
from firmware.journal.batch import make_file, take_apart
from firmware.journal.kinds import KIND_DONE, KIND_INTENT
from firmware.journal.packing import pack
from firmware.journal.record import NO_PREVIOUS, Record, build
from firmware.journal.statement import claimed_statement
from office import folder
from office.errors import Refused
from office.folder import Folder
from office.intake import Intake
from office.store import Store
from office.transaction import Taken
from tests import postgres_rig

T0_MS = 1_795_312_800_000  # 2026-11-22 10:00 in China


def intent_body(order: str, *, card: int = 1, serial: int = 1, fen: int = 1250) -> dict:
    return {
        1: order, 2: "clerk", 3: bytes(6), 4: bytes(4), 5: bytes([card] * 16), 6: f"A{card:08d}",
        7: bytes(13), 8: 0, 9: 1, 10: 1, 11: serial, 12: bytes(4), 13: bytes(12), 14: 0x32,
        15: bytes(7), 16: bytes(4), 17: 100_000, 18: 0, 19: 0, 20: b"\x20\x26",
        22: fen, 23: 0, 24: 0, 25: 1,
    }  # fmt: skip


def done_body(intent: int) -> dict:
    return {30: intent, 31: b"TAC1", 33: 1, 34: 1, 35: 1, 36: 1}


class Terminal:
    """Records in `self.records`; `batch()` seals those since the last batch."""

    def __init__(self, unit: str = "unit-1", seed: int = 1):
        self.unit = unit
        self.signer = Ed25519Signer(bytes([seed] * 32))
        self.records: list[Record] = []
        self.batches = 0
        self.previous = NO_PREVIOUS
        self._sealed = 0

    def add(self, kind: int, body: dict, previous: bytes = NO_PREVIOUS) -> int:
        number = len(self.records) + 1
        new = build(
            kind, body, unit=self.unit, number=number, boot=1, time_ms=T0_MS + 1000 * number,
            trust=1, profile=1, signer=self.signer,
            previous=self.records[-1].digest if self.records else previous,
        )  # fmt: skip
        self.records.append(new)
        return number

    def purchase(self, order: str, **fields: int) -> int:
        """INTENT and DONE; the INTENT's number."""
        intent = self.add(KIND_INTENT, intent_body(order, **fields))
        self.add(KIND_DONE, done_body(intent))
        return intent

    def skip(self, records: int) -> None:
        """Leave so many records out of the next batch's beginning."""
        self._sealed += records

    def batch(self, damaged: tuple[tuple[int, int], ...] = (), **changed: object) -> bytes:
        """changed: fields of the statement by name, to make it wrong."""
        covered = self.records[self._sealed :]
        kept = [each.raw for each in covered if not any(a <= each.number <= b for a, b in damaged)]
        self.batches += 1
        fields = {
            "unit": self.unit, "batch": self.batches, "first": covered[0].number,
            "last": covered[-1].number, "root": merkle.root([merkle.leaf(raw) for raw in kept]),
            "previous": self.previous,
            "time": T0_MS, "damaged": [list(each) for each in damaged],
        } | changed  # fmt: skip
        payload = cose.encode(dict(enumerate(fields.values(), 1)))
        statement = cose.sign1(payload, self.signer, "application/ssc-batch+cbor")
        self.previous = hashlib.sha256(statement).digest()
        self._sealed = len(self.records)
        return make_file(statement, pack(kept))


# --- the office's side ---

DATABASES = ("sqlite", "postgresql")


def made_office(tmp_path: Path, database: str = "sqlite") -> Folder:
    """A new office; skips where there is no PostgreSQL."""
    url = None
    if database == "postgresql":
        if reason := postgres_rig.missing():
            pytest.skip(reason)
        url = postgres_rig.shared().new_database()
    folder.init(tmp_path / "office", "Office 1", url)
    return Folder(tmp_path / "office")


def enrol(office: Folder, terminal: Terminal) -> None:
    """As `sscoffice enrol` does."""
    enrol_key(office, terminal.unit, terminal.signer.public_key)


def enrol_key(office: Folder, unit: str, public_key: bytes) -> None:
    office.store.write(
        "INSERT INTO keys VALUES (?, ?, -8, ?, 1, NULL, ?, ?) ON CONFLICT DO NOTHING",
        *(unit, key_id(public_key), public_key, b"", T0_MS),
    )


def take(office: Folder, unit: str | None, raw: bytes, now_ms: int = T0_MS + 60_000) -> Taken:
    """One file by itself; raises Refused."""
    (result,) = Intake(office, now_s=lambda: now_ms / 1000).take([(unit, raw)])
    if isinstance(result, Refused):
        raise result
    return result


def spoil(store: Store, unit: str, number: int) -> None:
    """Break the signature of one stored record, in the file of its batch."""
    rows = store.rows("SELECT batch FROM records WHERE unit = ? AND number = ?", unit, number)
    ((batch,),) = rows
    statement, raws, _ = take_apart(store.file(unit, batch) or b"")
    at = list(claimed_statement(statement)[0].numbers()).index(number)
    raws[at] = raws[at][:-1] + bytes([raws[at][-1] ^ 1])
    replace(store, unit, batch, make_file(statement, pack(raws)))


def replace(store: Store, unit: str, batch: int, file: bytes) -> None:
    sql = "UPDATE batches SET file = ? WHERE unit = ? AND batch = ?"
    store.write(sql, file, unit, batch)
