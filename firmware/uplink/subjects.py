"""Subjects and streams of the NATS link, for both of its ends.

    ssc.batch.UNIT              SSC_BATCHES   batch files, deduplicated by the SHA-256 of the file
    ssc.receipt.UNIT.BATCH      SSC_RECEIPTS  the receipt of that batch, the last one kept
    ssc.refusal.UNIT.BATCH      SSC_RECEIPTS  {"error", "cause", "detail"} instead of one
    ssc.down.all ssc.down.UNIT  SSC_DOWN      {"files": [{"what", "number", "size", "sha256"}]}
    ssc.file.SHA256.N           SSC_DOWN      piece N of a file, from 0, PIECE bytes each

A subject of its own for each batch's receipt: the newest alone would leave a unit that was away
without those before it.
"""

from __future__ import annotations

BATCHES, RECEIPTS, DOWN = "SSC_BATCHES", "SSC_RECEIPTS", "SSC_DOWN"
ALL = "all"
"""In the place of a unit; no unit may be called so on this link."""

PIECE = 256 << 10
MESSAGE_ID = "Nats-Msg-Id"  # what JetStream deduplicates by
BATCH_NUMBER = "Ssc-Batch"  # a header, for the subject of a refusal


def batch(unit: str) -> str:
    return f"ssc.batch.{unit}"


def receipt(unit: str, number: int | str) -> str:
    return f"ssc.receipt.{unit}.{number}"


def refusal(unit: str, number: int | str) -> str:
    return f"ssc.refusal.{unit}.{number}"


def down(unit: str) -> str:
    return f"ssc.down.{unit}"


def piece(digest: bytes, at: int | str) -> str:
    return f"ssc.file.{digest.hex()}.{at}"


def last_token(subject: str) -> str:
    return subject.rpartition(".")[2]


def unit_of_batch(subject: str) -> str:
    """Of ssc.batch.UNIT."""
    return last_token(subject)
