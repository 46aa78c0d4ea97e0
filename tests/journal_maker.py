"""Journals for tests and the bench: bodies of records, a unit's journal."""

from __future__ import annotations

from pathlib import Path

from firmware.clock import Clock
from firmware.journal import batch, kinds
from firmware.journal.cose import Ed25519Signer
from firmware.journal.kinds import KIND_DONE, KIND_INTENT, KIND_TOTALS
from firmware.journal.record import Record
from firmware.journal.store import Journal
from tests.receipts import receipt_of

UNIT = "test-unit-1"
START_MS = 1_790_000_000_000
TEST_DEVICE_KEY = Ed25519Signer(bytes(range(32)))  # invented
TEST_OFFICE_KEY = Ed25519Signer(bytes(range(32, 64)))  # invented


class Ticking:
    """A wall clock that moves one second each time it is read."""

    def __init__(self, start_ms: int = START_MS):
        self.at_s = start_ms / 1000

    def __call__(self) -> float:
        self.at_s += 1
        return self.at_s


def clock(start_ms: int = START_MS) -> Clock:
    return Clock(has_rtc=True, trust_h=24, wall=Ticking(start_ms), monotonic=Ticking())


def open_journal(folder: Path, **changed: object) -> Journal:
    settings: dict[str, object] = {
        "signer": TEST_DEVICE_KEY,
        "unit": UNIT,
        "profile": kinds.PROFILE_DEVELOPMENT,
        "clock": clock(),
        "min_free_mb": 1,
    }
    return Journal.open(folder / "journal.db", **{**settings, **changed})  # type: ignore[arg-type]


def intent_body(order_no: str = "order-1", card: int = 1, account_fen: int = 1250) -> dict:
    """A whole INTENT; `card` chooses card id, number and the PSAM's serial."""
    return {
        kinds.KEY_ORDER_NO: order_no,
        kinds.KEY_OPERATOR: "clerk-7",
        kinds.KEY_TERMINAL: bytes.fromhex("440100000001"),
        kinds.KEY_TERMINAL_SERIAL: card.to_bytes(4, "big"),
        kinds.KEY_CARD_ID: card.to_bytes(16, "big"),
        kinds.KEY_CARD_NUMBER: f"A{card:08d}",
        kinds.KEY_HISTORICAL: bytes.fromhex("00814A444686604401044A0001"),
        kinds.KEY_PURCHASE_SERIAL: 7,
        kinds.KEY_CARD_RANDOM: bytes.fromhex("A1B2C3D4"),
        kinds.KEY_TIME7: bytes.fromhex("20261122093000"),
        kinds.KEY_MAC1: bytes.fromhex("01020304"),
        kinds.KEY_ACCOUNT_BALANCE_FEN: 100_000,
        kinds.KEY_YEARLY_SELF_FEN: 0,
        kinds.KEY_YEARLY_POOLED_FEN: 0,
        kinds.KEY_ACCOUNT_FEN: account_fen,
        kinds.KEY_SELF_FEN: 200,
        kinds.KEY_POOLED_FEN: 30,
    }


def done_body(intent: int) -> dict:
    return {
        kinds.KEY_INTENT: intent,
        kinds.KEY_TAC: bytes.fromhex("0A0B0C0D"),
        kinds.KEY_MAC2: bytes.fromhex("11121314"),
        kinds.KEY_MAC2_STATE: 1,
        kinds.KEY_TAC_STATE: 1,
        kinds.KEY_KNOWN_BY: 1,
        kinds.KEY_OUTCOME: 1,
    }


def void_body(intent: int) -> dict:
    return {kinds.KEY_INTENT: intent, kinds.KEY_OUTCOME: 501}


def uncertain_body(intent: int) -> dict:
    return {kinds.KEY_INTENT: intent, kinds.KEY_OUTCOME: 502}


def totals_body(intent: int) -> dict:
    return {kinds.KEY_INTENT: intent, kinds.KEY_TOTALS_STATE: 1}


def start_body(public_key: bytes) -> dict:
    return {
        kinds.KEY_PUBLIC_KEY: public_key,
        kinds.KEY_FIRMWARE: "0.0-test",
        kinds.KEY_BOOT_ID: bytes(16),
    }


def purchase(journal: Journal, order_no: str, card: int = 1) -> Record:
    """INTENT, DONE, and TOTALS riding; the INTENT."""
    intent = journal.append(KIND_INTENT, intent_body(order_no, card))
    journal.append(KIND_DONE, done_body(intent.number))
    journal.append(KIND_TOTALS, totals_body(intent.number), ride=True)
    return intent


def receipt_for(sealed: batch.Batch) -> bytes:
    return receipt_of(sealed.statement, TEST_OFFICE_KEY, START_MS)
