"""Two life cycles as tables; an event that a state does not know is a local error.

Payment: every arrow is a new record that names the INTENT.  Transport: a batch, beside the records.
docs/architecture.md "Life cycles".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from firmware.journal.kinds import (
    KEY_VERDICT,
    KIND_DONE,
    KIND_INTENT,
    KIND_LOAD_DONE,
    KIND_LOAD_INTENT,
    KIND_LOAD_UNCERTAIN,
    KIND_LOAD_VOID,
    KIND_NAMES,
    KIND_RECEIPT_PRINTED,
    KIND_REFUND_REQUEST,
    KIND_REPRINT,
    KIND_RULED,
    KIND_SUSPECT,
    KIND_TOTALS,
    KIND_UNCERTAIN,
    KIND_VOID,
)

# A payment's state is the kind of the record that put it there; before the INTENT there is none.
STATE_NONE = 0

PAYMENT: dict[int, dict[int, int]] = {
    STATE_NONE: {KIND_INTENT: KIND_INTENT, KIND_LOAD_INTENT: KIND_LOAD_INTENT},
    KIND_INTENT: {
        KIND_DONE: KIND_DONE,
        KIND_VOID: KIND_VOID,
        KIND_SUSPECT: KIND_SUSPECT,
        KIND_UNCERTAIN: KIND_UNCERTAIN,
    },
    KIND_UNCERTAIN: {
        KIND_DONE: KIND_DONE,
        KIND_VOID: KIND_VOID,
        KIND_SUSPECT: KIND_SUSPECT,
    },
    KIND_SUSPECT: {KIND_RULED: KIND_RULED},
    KIND_DONE: {KIND_TOTALS: KIND_DONE, KIND_REFUND_REQUEST: KIND_DONE},
    KIND_VOID: {},
    KIND_RULED: {},
    KIND_LOAD_INTENT: {
        KIND_LOAD_DONE: KIND_LOAD_DONE,
        KIND_LOAD_VOID: KIND_LOAD_VOID,
        KIND_LOAD_UNCERTAIN: KIND_LOAD_UNCERTAIN,
    },
    KIND_LOAD_UNCERTAIN: {KIND_LOAD_DONE: KIND_LOAD_DONE, KIND_LOAD_VOID: KIND_LOAD_VOID},
    KIND_LOAD_DONE: {},
    KIND_LOAD_VOID: {},
}

# Paper may be printed of a payment in any state, and changes none.
for _state, _arrows in PAYMENT.items():
    if _state != STATE_NONE:
        _arrows[KIND_RECEIPT_PRINTED] = _state
        _arrows[KIND_REPRINT] = _state

OPEN_STATES = (KIND_INTENT, KIND_UNCERTAIN)  # what happened to the money is not known yet
INTENT_KINDS = (KIND_INTENT, KIND_LOAD_INTENT)
LOAD_OUTCOMES = (KIND_LOAD_DONE, KIND_LOAD_VOID, KIND_LOAD_UNCERTAIN)
OUTCOME_KINDS = (
    *(KIND_DONE, KIND_VOID, KIND_SUSPECT, KIND_UNCERTAIN, KIND_RULED),
    *LOAD_OUTCOMES,
)
PAYMENT_KINDS = tuple(sorted({kind for arrows in PAYMENT.values() for kind in arrows}))

# What the office found of a SUSPECT payment (key 65); RULED without it says no more than before.
VERDICT_TAKEN, VERDICT_NOT_TAKEN = 1, 2

BATCH_SEALED = "SEALED"
BATCH_RECEIPTED = "RECEIPTED"
EVENT_SEAL = "seal"
EVENT_RECEIPT = "receipt"

TRANSPORT: dict[str | None, dict[str, str]] = {
    None: {EVENT_SEAL: BATCH_SEALED},
    BATCH_SEALED: {EVENT_RECEIPT: BATCH_RECEIPTED},
    BATCH_RECEIPTED: {EVENT_RECEIPT: BATCH_RECEIPTED},  # the office may answer twice
}


class LifecycleError(Exception):
    """A record or an event that may not come now."""


def next_state(state: int, kind: int) -> int:
    """The payment's state after a record of `kind`; raises LifecycleError."""
    try:
        return PAYMENT[state][kind]
    except KeyError:
        now = KIND_NAMES.get(state, "no INTENT")
        raise LifecycleError(f"{KIND_NAMES.get(kind, kind)} may not follow {now}") from None


def takes_nothing(kind: int, body: Mapping[int, Any]) -> bool:
    """Does this outcome of a payment say that no money was taken?"""
    return kind == KIND_VOID or (
        kind == KIND_RULED and body.get(KEY_VERDICT, VERDICT_TAKEN) == VERDICT_NOT_TAKEN
    )


def next_transport(state: str | None, event: str) -> str:
    """The batch's state after the event; raises LifecycleError."""
    try:
        return TRANSPORT[state][event]
    except KeyError:
        raise LifecycleError(f"{event} may not follow {state}") from None
