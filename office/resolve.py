"""UNCERTAIN payments, decided by the next thing that card did at any unit.

A card tells its purchase serial and balances before each payment.  Its next INTENT, wherever that
was, therefore says whether the serial moved and whether the money went:

    next serial       balances before the next payment             outcome
    the same          -                                            VOID: the card never debited
    one more          moved by exactly the three amounts           DONE
    n more            moved by these and by n - 1 payments that    DONE
                      the books hold as DONE
    anything else                                                  open still

Loads that the books hold as done in between are counted; what happened at terminals of others is
not known here, and where it matters the payment stays open.  A resolution is the office's word: it
is stored with its evidence, changes no record, and is given once.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from firmware.journal.kinds import (
    KEY_CARD_ID,
    KEY_LOAD_FEN,
    KEY_PURCHASE_SERIAL,
    KEY_YEAR,
    KIND_DONE,
    KIND_INTENT,
    KIND_LOAD_DONE,
    KIND_LOAD_INTENT,
    KIND_UNCERTAIN,
    KIND_VOID,
)
from office.ledger import Fact, money_of, stored_fact
from office.store import Store

MAX_BETWEEN = 64
"""Payments of one card between the open one and the next that decides it."""


class Resolution(NamedTuple):
    """outcome: KIND_DONE or KIND_VOID.  by_unit, by_intent: the INTENT that tells."""

    unit: str
    intent: int
    outcome: int
    by_unit: str
    by_intent: int
    evidence: str


def resolve(store: Store, now_ms: int) -> list[Resolution]:
    """Decide what can be decided and store it; what was decided before stays and is left out."""
    made = []
    for unit, intent in uncertain(store):
        found = _decide(store, unit, intent)
        if found is not None:
            store.write("INSERT INTO resolutions VALUES (?, ?, ?, ?, ?, ?, ?)", *found, now_ms)
            made.append(found)
    return made


def resolved(store: Store) -> list[Resolution]:
    """Every resolution that was stored, by unit and INTENT."""
    columns = ", ".join(Resolution._fields)
    found = store.rows(f"SELECT {columns} FROM resolutions ORDER BY unit, intent")
    return [Resolution(*row) for row in found]


def uncertain(store: Store) -> list[tuple[str, int]]:
    """(unit, INTENT) of the payments that are UNCERTAIN and not resolved."""
    return [
        (unit, intent)
        for unit, intent in store.rows(
            "SELECT p.unit, p.intent FROM payments p WHERE p.state = ? AND NOT EXISTS (SELECT 1"
            " FROM resolutions r WHERE r.unit = p.unit AND r.intent = p.intent)"
            " ORDER BY p.unit, p.intent",
            KIND_UNCERTAIN,
        )
    ]


def _decide(store: Store, unit: str, intent: int) -> Resolution | None:
    open_one = stored_fact(store, unit, intent)
    if open_one is None or open_one.kind != KIND_INTENT:
        return None
    following = _following(store, open_one)
    if not following:
        return None
    known: list[Fact] = []
    for each, state in following:
        outcome = _by(store, open_one, known, each)
        if outcome is not None:
            told = f"serial {_serial(open_one)} -> {_serial(each)}"
            return Resolution(unit, intent, outcome, each.unit, each.number, told)
        if state != KIND_DONE:
            return None
        known.append(each)
    return None


def _following(store: Store, open_one: Fact) -> list[tuple[Fact, int | None]]:
    """The card's later INTENTs at any unit and their states, in the order of the card's serial."""
    rows = store.rows(
        "SELECT unit, intent, state FROM payments WHERE card_id = ? AND purchase_serial >= ?"
        " AND NOT (unit = ? AND intent = ?) AND time_ms >= ?"
        " ORDER BY purchase_serial, time_ms, unit, intent LIMIT ?",
        *(open_one.body[KEY_CARD_ID], _serial(open_one)),
        *(open_one.unit, open_one.number, open_one.time_ms, MAX_BETWEEN),
    )
    found = []
    for unit, intent, state in rows:
        each = stored_fact(store, unit, intent)
        if each is None:
            return []
        found.append((each, state))
    return found


def _by(store: Store, open_one: Fact, known: Iterable[Fact], following: Fact) -> int | None:
    """What `following` says of `open_one`; known: the DONE payments of the card in between."""
    others = list(known)
    moved = _serial(following) - _serial(open_one)
    if moved == 0:
        return None if others else KIND_VOID
    if moved != len(others) + 1:
        return None
    if following.body[KEY_YEAR] != open_one.body[KEY_YEAR]:
        return None  # the yearly sums began anew
    return KIND_DONE if _adds_up(store, open_one, others, following) else None


def _adds_up(store: Store, open_one: Fact, others: list[Fact], following: Fact) -> bool:
    account, own, pooled = money_of(open_one.body, KIND_INTENT).after
    for each in others:
        money = money_of(each.body, KIND_INTENT)
        account += money.moves_account
        own += money.moves_self
        pooled += money.moves_pooled
    now = money_of(following.body, KIND_INTENT)
    if (own, pooled) != (now.yearly_self, now.yearly_pooled):
        return False
    return account == now.account or account + _loaded(store, open_one, following) == now.account


def _loaded(store: Store, after: Fact, before: Fact) -> int:
    """Fen that the books hold as loaded onto the card between two of its payments."""
    rows = store.rows(
        "SELECT unit, intent FROM records WHERE kind = ? AND time_ms >= ? AND time_ms <= ?",
        *(KIND_LOAD_DONE, after.time_ms, before.time_ms),
    )
    total = 0
    for unit, intent in rows:
        begun = stored_fact(store, unit, intent)
        is_its = begun is not None and begun.kind == KIND_LOAD_INTENT
        if is_its and begun is not None and begun.body[KEY_CARD_ID] == after.body[KEY_CARD_ID]:
            total += begun.body[KEY_LOAD_FEN]
    return total


def _serial(each: Fact) -> int:
    return int(each.body[KEY_PURCHASE_SERIAL])
