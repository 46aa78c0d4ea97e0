"""May this record come now?  The life cycles (lifecycle.py), asked of what is on the disk."""

from __future__ import annotations

from firmware.journal.kinds import (
    KEY_DONE,
    KEY_INTENT,
    KEY_ORDER_NO,
    KIND_DONE,
    KIND_LOAD_VOID,
    KIND_REFUND_REQUEST,
    KIND_VOID,
)
from firmware.journal.lifecycle import (
    INTENT_KINDS,
    PAYMENT_KINDS,
    STATE_NONE,
    LifecycleError,
    next_state,
)
from firmware.journal.prune import order_counter
from firmware.journal.record import Record
from firmware.journal.schema import LOAD_STATE, REMEMBERED
from firmware.journal.writer import Writer


def check(writer: Writer, new: Record) -> None:
    """Raises LifecycleError, JournalError."""
    if new.kind in INTENT_KINDS:
        _may_begin(writer, new.body[KEY_ORDER_NO])
    elif new.kind in PAYMENT_KINDS:
        _may_follow(writer, new)


def _may_follow(writer: Writer, new: Record) -> None:
    intent = new.body[KEY_INTENT]
    row = writer.ask(
        f"SELECT iif(kind = 9, {LOAD_STATE}, state) FROM records WHERE number = ?", intent
    )
    next_state(STATE_NONE if row is None or row[0] is None else row[0], new.kind)
    if new.kind == KIND_REFUND_REQUEST:
        done = new.body[KEY_DONE]
        row = writer.ask("SELECT kind, intent FROM records WHERE number = ?", done)
        if row != (KIND_DONE, intent):
            raise LifecycleError(f"record {done} is not the DONE of INTENT {intent}")


def _may_begin(writer: Writer, order_no: str) -> None:
    earlier = writer.ask(
        "SELECT number FROM records WHERE order_no = ?"
        f" AND (kind = 1 AND state != ? OR kind = 9 AND {LOAD_STATE} != ?)",
        order_no,
        KIND_VOID,
        KIND_LOAD_VOID,
    )
    earlier = earlier or writer.ask(REMEMBERED, order_counter(order_no))
    if earlier is not None:
        raise LifecycleError(f"this order was begun by INTENT {earlier[0]}")
