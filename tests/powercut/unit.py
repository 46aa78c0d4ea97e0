"""The unit whose power is cut, and its office: what the writer and the judge have in common."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from firmware.journal import cose, kinds, sealed
from firmware.journal.batch import MAX_BATCH
from firmware.journal.devicekey import FileKeys
from firmware.journal.prune import Pruner
from firmware.journal.statement import claimed_statement
from firmware.journal.store import Journal
from tests.journal_maker import (
    START_MS,
    TEST_OFFICE_KEY,
    clock,
    done_body,
    intent_body,
    open_journal,
)
from tests.receipts import receipt_of

DAY_MS = 86_400_000
OFFICE_OPENING = bytes(range(1, 33))  # invented
OFFICE_SEALING = sealed.public_of(OFFICE_OPENING)
PERSONAL = {"name": "张三"}  # of every service act
RETENTION_DAYS, KEEP_NEWEST = 1, 3  # so that there is something to prune in a short life


def digest_hex(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def open_unit(folder: Path, days: int) -> Journal:
    """The journal of the unit there, with the device key that lies beside it; so many days on."""
    keys = FileKeys(folder / "device.key")
    now = clock(START_MS + days * DAY_MS)
    journal = open_journal(folder, signer=keys.current(), take=keys.take, clock=now)
    journal._pruner = Pruner(journal, RETENTION_DAYS, KEEP_NEWEST)
    return journal


def load_body(order_no: str, card: int) -> dict[int, Any]:
    """A whole LOAD_INTENT."""
    alike = {key: intent_body(order_no, card)[key] for key in (1, 2, 3, 5, 6, 7, 12, 16, 17)}
    codes = {
        kinds.KEY_ALGORITHM: 1,
        kinds.KEY_KEY_INDEX: 1,
        kinds.KEY_KEY_VERSION: 1,
        kinds.KEY_TYPE: 0x31,
        kinds.KEY_TIME7: bytes.fromhex("20261122093000"),
    }
    own = {kinds.KEY_LOAD_SERIAL: 9, kinds.KEY_LOAD_FEN: 5000, kinds.KEY_MAC2: bytes(4)}
    return {**alike, **codes, **own}


def load_done_body(intent: int) -> dict[int, Any]:
    done = done_body(intent)
    del done[kinds.KEY_MAC2], done[kinds.KEY_MAC2_STATE]
    return done


def office_receipts(journal: Journal, office: dict[int, bytes]) -> dict[int, bytes]:
    """The office's receipt for each batch, its tree having grown by one with each of them.

    office: number -> file of batches it has, for those that the unit has let go.
    """
    raws = {number: cose.decode(file, MAX_BATCH)[1] for number, file in office.items()}
    raws |= dict(journal.rows("SELECT batch, header FROM batches"))
    sealed = [claimed_statement(raws[number])[0] for number in sorted(raws)]
    return {each.batch: receipt_of(each, TEST_OFFICE_KEY, START_MS) for each in sealed}
