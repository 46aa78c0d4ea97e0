"""An office's receipts for tests: one tree for each unit, its batches in their order."""

from __future__ import annotations

from typing import Any

from firmware.journal import merkle
from firmware.journal.cose import Signer
from firmware.journal.receipt import make_receipt
from firmware.journal.statement import Statement

_LEAVES: dict[bytes, list[bytes]] = {}  # digest of a statement -> the tree whose last leaf it is


def receipt_of(
    statement: Statement, signer: Signer, time_ms: int, issuer: str = "test office", **changed: Any
) -> bytes:
    """The receipt for a batch, after those of the batches before it that were asked for here.

    changed: arguments of make_receipt, to make it wrong.
    """
    before = _LEAVES.get(statement.previous, [])
    leaves = _LEAVES[statement.digest] = [*before, merkle.leaf(statement.raw)]
    size = len(leaves)
    right = {
        "unit": statement.unit, "batch": statement.batch, "root": merkle.root(leaves),
        "size": size, "index": size - 1, "path": merkle.inclusion(leaves, size - 1),
        "consistency": (len(before), merkle.consistency(leaves, len(before))) if before else None,
    }  # fmt: skip
    return make_receipt(
        **{**right, "time_ms": time_ms, "issuer": issuer, "signer": signer, **changed}
    )
