"""The stored records one after the other, as facts for the report; decoded, not verified again.

Whether they are signed and whole is what `sscoffice check` proves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from firmware.journal import cose
from firmware.journal.cose import CoseError
from firmware.journal.kinds import (
    KEY_ACCOUNT_BALANCE_FEN,
    KEY_AMOUNTS_SENT,
    KEY_LOAD_FEN,
    KEY_YEARLY_POOLED_FEN,
    KEY_YEARLY_SELF_FEN,
    KIND_DECLINED,
    KIND_DONE,
    KIND_INTENT,
    KIND_LOAD_DONE,
    KIND_LOAD_INTENT,
    KIND_SUSPECT,
    KIND_UNCERTAIN,
    KIND_VOID,
)
from firmware.journal.record import RecordError, whole_intent
from office.store import Store

Progress = Callable[[int, int], None]
"""Called with the batches done and the batches in all."""

COUNTED = {
    KIND_DONE: "done",
    KIND_VOID: "void",
    KIND_SUSPECT: "suspect",
    KIND_UNCERTAIN: "uncertain",
    KIND_DECLINED: "declined",
    KIND_LOAD_DONE: "loads",
}
"""What a site's day is counted by -> its column."""

_ENVELOPE = range(1, 10)
_BALANCES = (KEY_ACCOUNT_BALANCE_FEN, KEY_YEARLY_SELF_FEN, KEY_YEARLY_POOLED_FEN)


class Fact(NamedTuple):
    """One record.  previous and raw are left out; body as signed, an INTENT's made whole."""

    unit: str
    number: int
    boot: int
    time_ms: int
    trust: int
    kind: int
    body: dict[int, Any]


class Money(NamedTuple):
    """What a card had before a payment or load, in fen, and what that would move."""

    account: int
    yearly_self: int
    yearly_pooled: int
    moves_account: int
    moves_self: int
    moves_pooled: int

    @property
    def after(self) -> tuple[int, int, int]:
        return (
            self.account + self.moves_account,
            self.yearly_self + self.moves_self,
            self.yearly_pooled + self.moves_pooled,
        )


def facts(
    store: Store, unit: str | None = None, progress: Progress = lambda done, of: None
) -> Iterator[Fact]:
    """By unit and number, what is in the books; a record that cannot be read is left out."""
    chosen, arguments = ("", ()) if unit is None else ("AND unit = ?", (unit,))
    batches = store.rows(
        f"SELECT unit, batch FROM batches WHERE quarantined IS NULL {chosen} ORDER BY unit, first",
        *arguments,
    )
    for done, (each, batch) in enumerate(batches, 1):
        for number, raw in sorted(store.raws(each, batch).items()):
            found = fact(each, number, raw)
            if found is not None:
                yield found
        progress(done, len(batches))


def fact(unit: str, number: int, raw: bytes) -> Fact | None:
    """None for bytes that are no record of that number."""
    try:
        envelope = cose.glance(cose.peek1(raw).payload)
        named, found, boot, time_ms, trust, kind, _, _, body = (envelope[key] for key in _ENVELOPE)
        if kind == KIND_INTENT:
            body = whole_intent(body)
    except (CoseError, RecordError, KeyError, TypeError):
        return None
    if (named, found) != (unit, number) or not isinstance(body, dict):
        return None
    return Fact(unit, number, boot, time_ms, trust, kind, body)


def stored_fact(store: Store, unit: str, number: int) -> Fact | None:
    raw = store.record(unit, number)
    return None if raw is None else fact(unit, number, raw)


def money_of(body: dict[int, Any], kind: int) -> Money:
    """Of an INTENT or a LOAD_INTENT; the amounts as the card got them."""
    if kind == KIND_LOAD_INTENT:
        return Money(body[KEY_ACCOUNT_BALANCE_FEN], 0, 0, body[KEY_LOAD_FEN], 0, 0)
    sent = body[KEY_AMOUNTS_SENT]
    account, own, pooled = (int.from_bytes(sent[at : at + 4], "big") for at in (0, 4, 8))
    account_fen, self_fen, pooled_fen = (body[key] for key in _BALANCES)
    return Money(account_fen, self_fen, pooled_fen, -account, own, pooled)
